"""Say whether a benchmark's result is what it should be."""


def bar(wanted: str, met: bool) -> None:
    """Print a bar of the project and whether it is met."""
    print(f"bar: {wanted}: {'met' if met else 'missed'}", flush=True)
