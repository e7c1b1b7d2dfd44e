"""Show the help of verbs, and errors of usage as one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from celesta.cli import console
from celesta.cli.process import EXIT_CODES, USAGE, guarded

WIDEST = 100
"""Columns of a help text at most; it takes those of the terminal where that has fewer."""

_WORD = re.compile(r"-[^\W\d_]{2,}")
ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


class Verb(TyperCommand):
    """A verb whose help shows each option's name in full, and examples on lines of their own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; where a verb takes words, ``-word`` is one of them and no option.

        An empty argument is refused: as a path it would be the current folder, with all that is in it.
        """
        if "" in args:
            raise typer.BadParameter("an argument is empty, as of a shell variable that is not set", ctx)
        if any(p.metavar == "WORDS" for p in self.params):
            args = [*(one for one in args if not _WORD.fullmatch(one)), "--", *filter(_WORD.fullmatch, args)]
        try:
            return super().parse_args(ctx, args)
        except ClickException as error:  # an option without its value knows no context
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, text and options."""
        self.format_usage(ctx, formatter)
        _write_text(self.help or "", formatter)
        arguments: list[tuple[str, str]] = []
        panels: dict[str, list[tuple[str, str]]] = {}
        parameter: Any
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                arguments.append((parameter.metavar or parameter.name, parameter.help or ""))
            else:
                panel = getattr(parameter, "rich_help_panel", None) or "Options"
                panels.setdefault(panel, []).append((record[0].replace(" / ", ", "), _readable(record[1])))
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        for title in sorted(panels, key=lambda name: name == "Options"):
            with formatter.section(title):
                formatter.write_dl(panels[title])


class Section(TyperGroup):
    """Verbs that share their first word."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Read the words before the verb."""
        with one_line():
            return super().make_context(info_name, args, parent, **extra)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, text, verbs and options."""
        self.format_usage(ctx, formatter)
        _write_text(self.help or "", formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(command)) for name, command in commands])
        with formatter.section("Options"):
            formatter.write_dl([record for p in self.get_params(ctx) if (record := p.get_help_record(ctx))])


class Root(Section):
    """The whole command: runs each verb inside :func:`celesta.cli.process.guarded`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        with guarded(), one_line():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of a group, and the exit codes."""
        super().format_help(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Turn wrong options and arguments into one line that names the help, and exit code 2.

    Raises:
        typer.Exit: with the code.
    """
    try:
        yield
    except ClickException as error:
        context: Any = getattr(error, "ctx", None)
        said = error.format_message()  # type: ignore[attr-defined]
        if type(error).__name__ == "NoArgsIsHelpError":
            if context.parent is None:
                typer.echo(context.get_help(), err=True)
                raise typer.Exit(USAGE) from None
            said = f"name one of {', '.join(context.command.list_commands(context))}"
        said = " ".join(said.split()).rstrip(".")
        said = re.sub(r"Possible options: (.+)\)$", r"did you mean \1?)", said)
        said = re.sub(r"Input should be ", "it must be ", said)
        said = re.sub(r", unable to parse .*", "", said)
        said = f"{said[:1].lower()}{said[1:]}" if said[1:2].islower() else said
        if said == "missing option '--data'":
            said += "; give the music with --data FOLDER"
        where = context.command_path if context is not None else "celesta"
        console.fail(f"{said} See {where} --help" if said.endswith("?") else f"{said}; see {where} --help")
        raise typer.Exit(getattr(error, "exit_code", USAGE)) from None


def _write_text(text: str, formatter: Any) -> None:
    """Write the paragraphs of a docstring; examples keep their lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        line = " ".join(paragraph.split())
        formatter.write_paragraph()
        with formatter.indentation():
            example = re.fullmatch(r"Example: `(.+)`", line)
            if example:
                formatter.write(f"{' ' * formatter.current_indent}Example: {example[1]}\n")
            else:
                formatter.write_text(line.replace("`", ""))


def _readable(text: str) -> str:
    """Write a range such as ``[x>=1]`` in words, and a switch's default as it is."""
    text = re.sub(r"\bx>=([\d.]+)", r"at least \1", text)
    text = re.sub(r"\b([\d.]+)<=x<=([\d.]+)", r"\1 to \2", text)
    return re.sub(r"\bx<=([\d.]+)", r"at most \1", text)


def _summary(command: Any) -> str:
    """Return the first paragraph of a command's help on one line."""
    return " ".join((command.help or "").split("\n\n")[0].split()).replace("`", "").rstrip(".")
