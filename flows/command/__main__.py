"""`python -m flows.command` is the `dynosaur` command."""

from flows.command.main import main

main()
