"""What ``python -m ctckit`` runs."""

from ctckit.cli.main import main

if __name__ == "__main__":
    main()
