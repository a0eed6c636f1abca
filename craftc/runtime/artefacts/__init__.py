"""Makes the artefacts of trials, in a process beside the run, and keeps them in the store."""
