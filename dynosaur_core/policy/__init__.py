"""Which datasets may take part: licences, languages and lists, as data with settings on top."""
