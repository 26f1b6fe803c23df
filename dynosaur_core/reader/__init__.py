"""Child processes in which files from strangers are parsed: what kills, hangs or swells there ends there."""
