"""The judge: is the canary worse than the stable release, or clean enough for the next step?"""
