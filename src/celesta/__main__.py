"""`python -m celesta`: the command `celesta`, where it is not on the path."""

from celesta.cli.main import main

if __name__ == "__main__":
    main()
