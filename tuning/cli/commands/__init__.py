"""What each command of the command line does; `tuning.cli` says how it is called, and imports the module it needs."""
