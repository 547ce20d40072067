"""The results as JSON, as a Markdown table and as a plot. A ratio is the median of all rounds, with its range."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final
from xml.sax.saxutils import escape

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"
TARGETS: Final = {"scan": (1.2, 0.8), "me": (1.6, 1.0), "students": (1.5, 1.0)}
"""Request → the ratio to the peer that must be reached, and the goal."""
MOST_FOR_CONNECTIONS: Final = 1.15
"""How many times the CPU of a request on one connection it may take while there are many."""
TITLES: Final = {
    "me": "GET /me",
    "students": "GET /students, 20 rows",
    "scan": "POST /attendance/scan, new",
    "repeated": "POST /attendance/scan, repeated",
    "check": "POST /promotions/check, 100 students",
    "login": "POST /auth/login",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of one kind of request on one side. CPU in milliseconds per request."""

    rate: float
    p50: float
    p95: float
    p99: float
    app_ms: float
    database_ms: float
    unexpected: int
    number: int

    @property
    def cpu_ms(self) -> float:
        """Return the CPU of application and database together."""
        return self.app_ms + self.database_ms


@dataclass(slots=True)
class Row:
    """One kind of request at one number of connections, in all rounds."""

    kind: str
    connections: int
    tatami: list[Cell] = field(default_factory=list)
    peer: list[Cell] = field(default_factory=list)
    floor_ms: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Return our CPU to the peer's, round by round; empty without a peer."""
        return [ours.cpu_ms / theirs.cpu_ms for ours, theirs in zip(self.tatami, self.peer, strict=False)]

    @property
    def verdict(self) -> str:
        """Return how the ratio stands to its target; empty where there is none."""
        if self.kind not in TARGETS or not self.ratios:
            return ""
        must, goal = TARGETS[self.kind]
        ratio = median(self.ratios)
        if ratio <= goal:
            return f"goal {goal:g} reached"
        return f"target {must:g} met" if ratio <= must else f"target {must:g} MISSED by {ratio - must:.2f}"


def cost_of_connections(rows: list[Row]) -> list[tuple[str, int, float]]:
    """Return kind, number of connections, and the CPU of a request on so many to that on one."""
    alone = {row.kind: row for row in rows if row.connections == 1}
    return [
        (
            row.kind,
            row.connections,
            median(cell.cpu_ms for cell in row.tatami)
            / median(cell.cpu_ms for cell in alone[row.kind].tatami),
        )
        for row in rows
        if row.connections > 1 and row.kind in alone
    ]


def is_missed(rows: list[Row]) -> bool:
    """Return whether a target is missed."""
    return any("MISSED" in row.verdict for row in rows) or any(
        ratio > MOST_FOR_CONNECTIONS for _, _, ratio in cost_of_connections(rows)
    )


def markdown(rows: list[Row], machine: str) -> str:
    """Return the table, and what it was measured on."""
    rounds = max(len(row.tatami) for row in rows)
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d}, {machine}, {rounds} rounds. CPU in milliseconds per request, "
        "application + database.",
        "",
        "| request | connections | Tatami | peer | ratio (range) | target | requests/s, Tatami / peer"
        " | p50 / p95 / p99 ms | to the floor |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|",
    ]
    for row in rows:
        ours = _middle(row.tatami)
        theirs = _middle(row.peer) if row.peer else None
        ratio = (
            f"{median(row.ratios):.2f} ({min(row.ratios):.2f}–{max(row.ratios):.2f})" if row.ratios else ""
        )
        lines.append(
            f"| {TITLES[row.kind]} | {row.connections} | {_cpu(ours)} | {_cpu(theirs)} | {ratio} | {row.verdict} "
            f"| {ours.rate:.0f} / {f'{theirs.rate:.0f}' if theirs else ''} "
            f"| {ours.p50:.1f} / {ours.p95:.1f} / {ours.p99:.1f} "
            f"| {f'{ours.cpu_ms / row.floor_ms:.0f}×' if row.floor_ms else ''} |"
        )
    for kind, connections, ratio in cost_of_connections(rows):
        mark = "met" if ratio <= MOST_FOR_CONNECTIONS else f"MISSED by {ratio - MOST_FOR_CONNECTIONS:.2f}"
        lines += [
            "",
            f"{TITLES[kind]}: {connections} connections cost {ratio:.2f} times one; target "
            f"{MOST_FOR_CONNECTIONS:g} {mark}.",
        ]
    if left_out := [title for kind, title in TITLES.items() if kind not in {row.kind for row in rows}]:
        lines += ["", f"Not measured in this run: {', '.join(left_out)}."]
    if not any(row.peer for row in rows):
        lines += ["", "The peer was not measured: it needs Node.js and its sources (`PEER=<folder>`)."]
    elif any(row.kind == "login" for row in rows):
        lines += ["", "The peer has no sign-in."]
    return "\n".join(lines) + "\n"


def plot(rows: list[Row]) -> str:
    """Return an SVG with a bar for each side of each request."""
    shown = [row for row in rows if row.tatami and row.connections > 1]
    widest = max(_middle(cells).cpu_ms for row in shown for cells in (row.tatami, row.peer) if cells)
    height, parts = 30 + 64 * len(shown), []
    for place, row in enumerate(shown):
        top = 20 + 64 * place
        parts.append(f'<text x="8" y="{top + 12}" font-weight="600">{escape(TITLES[row.kind])}</text>')
        for offset, name, cells, colour in (
            (18, "Tatami", row.tatami, "#b3392f"),
            (36, "peer", row.peer, "#7a8793"),
        ):
            if not cells:
                continue
            middle = _middle(cells)
            width = 420 * middle.cpu_ms / widest
            parts.append(f'<rect x="70" y="{top + offset}" width="{width:.1f}" height="14" fill="{colour}"/>')
            parts.append(f'<text x="8" y="{top + offset + 11}">{name}</text>')
            parts.append(f'<text x="{76 + width:.1f}" y="{top + offset + 11}">{middle.cpu_ms:.2f} ms</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="600" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def write(rows: list[Row], name: str) -> list[Path]:
    """Write the results of a run beside those committed before; return the files."""
    RESULTS.mkdir(exist_ok=True)
    machine = machine_name()
    whole = {
        "measured": datetime.now(UTC).isoformat(),
        "machine": machine,
        "rows": [asdict(row) for row in rows],
    }
    contents = {
        "json": json.dumps(whole, indent=1) + "\n",
        "md": markdown(rows, machine),
        "svg": plot(rows),
    }
    files = []
    for ending, content in contents.items():
        path = RESULTS / f"{name}.{ending}"
        path.write_text(content, encoding="utf-8")
        files.append(path)
    return files


def machine_name() -> str:
    """Return the machine's processors and Python, without its name."""
    import psutil

    return f"{psutil.cpu_count()} processors, Python {platform.python_version()}, Linux {platform.machine()}"


def _middle(cells: list[Cell]) -> Cell:
    return sorted(cells, key=lambda cell: cell.cpu_ms)[len(cells) // 2]


def _cpu(cell: Cell | None) -> str:
    return f"{cell.app_ms:.2f} + {cell.database_ms:.2f}" if cell else ""
