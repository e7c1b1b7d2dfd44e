"""One self-contained HTML page: style, pictures and sound are inside, nothing is fetched."""

from __future__ import annotations

import base64
import html
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from celesta.audio import Audio, write
from celesta.report.figures import png

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5c6775;--line:#d9dee5;--back:#fbfbfa;--card:#fff;--accent:#b4531f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#98a3b1;--line:#333b46;--back:#14181d;--card:#1c2229;
--accent:#f0935c}img{background:#fff;border-radius:4px}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 80px}h1{font-size:28px;margin:8px 0}h2{margin:40px 0 8px;
border-top:2px solid var(--line);padding-top:16px}h3{margin:20px 0 6px;font-size:16px}p{max-width:78ch}
nav{position:sticky;top:0;background:var(--back);border-bottom:1px solid var(--line);padding:8px 20px;z-index:2;
display:flex;gap:6px 16px;flex-wrap:wrap;font-size:14px}a{color:var(--accent)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;margin:10px 0;
font-variant-numeric:tabular-nums}th,td{padding:4px 8px;text-align:right;border-bottom:1px solid var(--line);
white-space:nowrap}th:first-child,td:first-child{text-align:left}th{cursor:pointer;color:var(--soft);font-weight:600}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:14px 0}
img{max-width:100%;height:auto;display:block;margin:6px 0}.sounds{display:flex;flex-wrap:wrap;gap:8px 20px}
.sounds label{font-size:13px;color:var(--soft)}audio{display:block;height:34px;width:300px;max-width:100%}
.note{border-left:4px solid var(--accent);padding:2px 14px;color:var(--soft)}footer{color:var(--soft);font-size:13px}
"""

# Click a table's head to sort by it: numbers as numbers.
_SCRIPT = """
document.querySelectorAll('th').forEach(th=>th.onclick=()=>{const t=th.closest('table'),i=th.cellIndex,
b=t.tBodies[0],d=th.dataset.d=th.dataset.d==='1'?'-1':'1',n=c=>{const v=c.textContent.replace(/[ ,\\u2009]/g,'');
const f=parseFloat(v);return isNaN(f)?v:f};[...b.rows].sort((x,y)=>{const p=n(x.cells[i]),q=n(y.cells[i]);
return(p>q?1:p<q?-1:0)*d}).forEach(r=>b.append(r))});
document.addEventListener('play',e=>document.querySelectorAll('audio').forEach(a=>a!==e.target&&a.pause()),true);
"""


class Page:
    """A page built from top to bottom. Texts are escaped; only ``raw`` is not."""

    def __init__(self, title: str, lead: str) -> None:
        self.title = title
        self._sections: list[tuple[str, str]] = []
        self._parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(lead)}</p>"]

    def section(self, title: str) -> None:
        """Begin a section, listed in the bar on top."""
        anchor = f"s{len(self._sections) + 1}"
        self._sections.append((anchor, title))
        self._parts.append(f'<h2 id="{anchor}">{escape(title)}</h2>')

    def heading(self, text: str) -> None:
        """A smaller heading."""
        self._parts.append(f"<h3>{escape(text)}</h3>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """A paragraph that stands out."""
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table that sorts by a click on its head."""
        cells = "".join(f"<th>{escape(name)}</th>" for name in head)
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def figure(self, figure: Figure, alt: str) -> None:
        """A figure as a picture inside the page."""
        data = base64.b64encode(png(figure)).decode()
        self._parts.append(f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">')

    def sounds(self, sounds: Sequence[tuple[str, Audio]]) -> None:
        """Players side by side; starting one stops the others."""
        players = "".join(
            f'<label>{escape(name)}<audio controls preload="none" src="{sound_uri(sound)}"></audio></label>'
            for name, sound in sounds
        )
        self._parts.append(f'<div class="sounds">{players}</div>')

    def begin_card(self) -> None:
        """Begin a box."""
        self._parts.append('<div class="card">')

    def end_card(self) -> None:
        """End the box."""
        self._parts.append("</div>")

    def write(self, path: Path, footer: str = "") -> Path:
        """Write the page atomically; its path comes back."""
        bar = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title in self._sections)
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body><nav>{bar}</nav><main>"
            f"{''.join(self._parts)}<footer><p>{escape(footer)}</p></footer></main><script>{_SCRIPT}</script></body></html>"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
        return path


def sound_uri(sound: Audio) -> str:
    """Sound as an Ogg Vorbis data URI, lowered where it would clip."""
    peak = float(abs(sound.samples).max())
    quiet = Audio(sound.samples / peak if peak > 1 else sound.samples, sound.sample_rate)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sound.ogg"
        write(file, quiet)
        return "data:audio/ogg;base64," + base64.b64encode(file.read_bytes()).decode()


def escape(text: str) -> str:
    """Text for HTML, quotes too."""
    return html.escape(text, quote=True)
