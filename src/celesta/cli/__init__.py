"""The command line: parse, call, show. No work of its own."""
