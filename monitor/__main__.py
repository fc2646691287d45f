"""`python -m monitor` is `seedwatch`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
