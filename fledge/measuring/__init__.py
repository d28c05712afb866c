"""What is measured of an artifact that runs: times, memory, load. The statistics of it are fledge.stats.timing."""
