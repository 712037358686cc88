"""Writes what the parts found: report.md with ratios first, a plot for each part, in SVG."""
import html
import math
import os


def figure(value):
    """A number with as many digits as it is worth."""
    size = abs(value)
    return format(round(value), ",") if size >= 1000 else "%.0f" % value if size >= 100 else "%.1f" % value if size >= 10 else "%.2f" % value


def verdicts(result):
    """(part, name, figure, aim, verdict) of each ratio: aims that are missed first, then those reached, then what has no aim."""
    found = []
    for name, part in result["parts"].items():
        for key, value in part["ratios"].items():
            if isinstance(value, dict):
                found.append((0 if not value["reached"] else 1, name, key, figure(value["value"]), "%s %s" % (value["way"], figure(value["aim"])),
                              "reached" if value["reached"] else "**missed**"))
            else:
                found.append((2, name, key, figure(value), "", ""))
    return [row[1:] for row in sorted(found, key=lambda row: row[0])]


def headlines(result):
    """Ratios, one a line."""
    return ["%-12s %-64s %10s  %-20s %s" % (name, key, value, aim, verdict.strip("*")) for name, key, value, aim, verdict in verdicts(result)]


WIDTH, LEFT, BAR, TOP = 900, 320, 22, 10 # of a plot, in pixels


def plot(path, part):
    """Bars of rows a second with their spread, on a logarithmic axis, as SVG. False: there is nothing to compare."""
    rows = [row for row in part["rows"] if row.get("rate")]
    if len(rows) < 2:
        return False
    low = math.floor(math.log10(min(row["rows"] / row["seconds"]["most"] for row in rows)))
    high = max(low + 1, math.ceil(math.log10(max(row["rows"] / row["seconds"]["least"] for row in rows))))
    bottom = TOP + BAR * len(rows)

    def x_of(rate):
        return LEFT + (math.log10(rate) - low) / (high - low) * (WIDTH - LEFT - 30)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (WIDTH, bottom + 40),
           '<rect width="100%" height="100%" fill="white"/>']
    for power in range(low, high + 1):
        x = x_of(10.0**power)
        out += ['<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#cccccc"/>' % (x, TOP, x, bottom),
                '<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x, bottom + 16, format(10**power, ",") if power >= 0 else "1e%d" % power)]
    for at, row in enumerate(rows):
        y, middle = TOP + BAR * at, TOP + BAR * at + BAR // 2
        out += ['<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, middle + 4, html.escape(row["label"])),
                '<rect x="%d" y="%d" width="%.1f" height="%d" fill="#3b6ea5"/>' % (LEFT, y + 4, x_of(row["rate"]) - LEFT, BAR - 8),
                '<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222222" stroke-width="2"/>' % (
                    x_of(row["rows"] / row["seconds"]["most"]), middle, x_of(row["rows"] / row["seconds"]["least"]), middle)]
    out += ['<text x="%d" y="%d" text-anchor="middle">rows a second (logarithmic), median; the line is the spread</text>' % ((LEFT + WIDTH) // 2, bottom + 34), "</svg>"]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    return True


def cell(text):
    """Of a table of Markdown."""
    return text.replace("|", "\\|")


def table(part):
    lines = []
    timed = [row for row in part["rows"] if "seconds" in row]
    if timed:
        trino = any("trino" in row for row in timed)
        lines += ["| | rows/s | median | least | most |" + (" Trino |" if trino else ""), "|---|---:|---:|---:|---:|" + ("---:|" if trino else "")]
        for row in timed:
            seconds = row["seconds"]
            unit, factor = ("s", 1) if row["rows"] > 1 else ("µs a row", 1e6)
            text = "| %s | %s | %.3f %s | %.3f | %.3f |" % (cell(row["label"]), format(round(row["rate"]), ","), seconds["median"] * factor, unit, seconds["least"] * factor,
                                                           seconds["most"] * factor)
            if trino:
                text += " %s |" % (row["trino"] if isinstance(row["trino"], str) else "%.3f s" % row["trino"])
            lines.append(text)
    for row in part["rows"]:
        if "value" in row:
            lines.append("- %s: %s" % (row["label"], figure(row["value"]) + (" (%s to %s)" % tuple(map(figure, row["spread"])) if "spread" in row else "")))
    return lines


def write(folder, result):
    """report.md in the folder; its path."""
    lines = ["# Benchmark", "", "%s; begun %s, %.0f minutes, load %.1f at the beginning; %d rounds, all take turns, pinned to one core unless a part says otherwise." % (
        machine_text(result["machine"]), result["begun"], result["minutes"], result["machine"]["load"], result["rounds"]), ""]
    if result.get("failures"):
        lines += ["**Not everything agreed:**", ""] + ["- " + text for text in result["failures"]] + [""]
    found = verdicts(result)
    aimed = [row for row in found if row[4]]
    lines += ["## Ratios", "", "Of medians of runs that took turns. %d of %d aims reached." % (sum(row[4] == "reached" for row in aimed), len(aimed)), "",
              "| part | ratio or figure | found | aim | |", "|---|---|---:|---|---|"]
    lines += ["| %s | %s | %s | %s | %s |" % (row[0], cell(row[1]), *row[2:]) for row in found]
    for name, part in result["parts"].items():
        lines += ["", "## " + part["title"], "", part["note"] + ".", ""] + table(part)
        if plot(os.path.join(folder, name + ".svg"), part):
            lines += ["", "![%s](%s.svg)" % (part["title"], name)]
    path = os.path.join(folder, "report.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


BEGIN, END = "<!-- figures of ./dev bench: begin -->", "<!-- figures: end -->"


def machine_text(machine):
    return "%s, %d cores, %.0f GiB, Linux %s" % (machine["processor"], machine["cores"], machine["memory_gib"], machine["kernel"])


def together(rows):
    """Rows of one part that ask the same of many cases, "case: what", as one: the range found. Reached where all are."""
    groups = {}
    for row in rows:
        what = row[1].rsplit(": ", 1)[-1] if row[0] in ("shapes", "adversarial") else row[1]
        groups.setdefault((row[0], what, row[3]), []).append(row)
    for (part, what, aim), members in groups.items():
        found = sorted((row[2] for row in members), key=lambda text: float(text.replace(",", "")))
        verdict = next((row[4] for row in members if row[4] != "reached"), "reached")
        yield members[0] if len(members) == 1 else (part, "%s, %d cases" % (what, len(members)), "%s to %s" % (found[0], found[-1]), aim, verdict)


def readme(path, result):
    """Puts the ratios that have an aim between the two marks of a page; missed ones too."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    first, rest = text.split(BEGIN, 1)
    last = rest.split(END, 1)[1]
    lines = ["", "Measured by `./dev bench` on %s, %s: medians of %d rounds that took turns, on one core unless it is said otherwise." % (
        machine_text(result["machine"]), result["begun"][:10], result["rounds"]), "", "| | found | aim | |", "|---|---:|---|---|"]
    lines += ["| %s | %s | %s | %s |" % (cell(row[1]), *row[2:]) for row in sorted(together(row for row in verdicts(result) if row[3]), key=lambda row: row[4] != "reached")]
    with open(path, "w", encoding="utf-8") as file:
        file.write(first + BEGIN + "\n".join(lines) + "\n" + END + last)
