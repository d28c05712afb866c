"""What retrainings with other seeds say about the gates: noise, margins, false blocks, what damage is seen."""
