"""`python -m cli`: the `headway` command, for whoever knows the interpreter and not where its programs are."""

from cli.main import main

if __name__ == "__main__":
    main()
