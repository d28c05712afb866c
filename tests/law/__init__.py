"""The Law of delivery: whatever people, the judge, crashes and lost events do, git tells the truth when things are quiet."""
