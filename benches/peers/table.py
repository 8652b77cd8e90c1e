"""Samples → tables in Markdown: medians, their spread, ratios to the echo of the same round."""

from statistics import median

HEAD = (
    "| server | CPU, µs an answer | user | system | × echo | × padded echo | answers/s | lost | |\n"
    "|---|---|---:|---:|---|---|---:|---:|---|\n"
)


def spread(values, digits=2):
    """The median, and behind it the least and the greatest."""
    return f"**{median(values):.{digits}f}** ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratio(samples, floor):
    """How often the floor fits in, round by round: what the machine did to both cancels out."""
    if not floor:
        return "–"
    return spread([one.cpu / other.cpu for one, other in zip(samples, floor)])


def row(name, samples, floor, padded, note):
    user, system = (median(getattr(s, part) for s in samples) for part in ("user", "system"))
    rate, lost = median(s.rate for s in samples), median(s.lost for s in samples)
    cells = [
        name,
        spread([s.cpu for s in samples]),
        f"{user:.2f}",
        f"{system:.2f}",
        ratio(samples, floor),
        ratio(samples, padded),
        f"{rate:,.0f}",
        f"{100 * lost:.2f} %",
        note,
    ]
    return "| " + " | ".join(cells) + " |\n"


def table(title, results, notes, absent):
    """`results`: server → samples of all rounds, in the order of the rounds."""
    text = f"**{title}**\n\n{HEAD}"
    floor, padded = results.get("echo"), results.get("padded echo")
    for name, samples in results.items():
        text += row(name, samples, floor, padded, notes.get(name, ""))
    for name, why in absent.items():
        text += f"| {name} | – | – | – | – | – | – | – | {why} |\n"
    return text
