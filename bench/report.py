"""Writes what the parts found: report.md with ratios first, a plot for each part, in SVG."""
import os


def headlines(result):
    """Ratios, one a line."""
    found = []
    for name, part in result["parts"].items():
        for key, value in part["ratios"].items():
            found.append("%-12s %-60s %8.2f" % (name, key, value))
    return found


def plot(path, part):
    """Bars of rows a second with their spread, on a logarithmic axis. Without matplotlib there is no plot, and the report says so."""
    rows = [row for row in part["rows"] if row.get("rate")]
    if len(rows) < 2:
        return False
    try:
        import matplotlib
        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        return False
    labels = [row["label"] for row in rows]
    rates = [row["rate"] for row in rows]
    low = [row["rate"] - row["rows"] / row["seconds"]["most"] for row in rows]
    high = [row["rows"] / row["seconds"]["least"] - row["rate"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(9, 0.4 * len(rows) + 1.2))
    axes.barh(labels, rates, xerr=[[max(0, v) for v in low], [max(0, v) for v in high]], color="#3b6ea5", ecolor="#222222", capsize=2)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("rows a second (logarithmic), median; the line is the spread")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return True


def table(part):
    lines = []
    timed = [row for row in part["rows"] if "seconds" in row]
    if timed:
        trino = any("trino" in row for row in timed)
        lines += ["| | rows/s | median | least | most |" + (" Trino |" if trino else ""), "|---|---:|---:|---:|---:|" + ("---:|" if trino else "")]
        for row in timed:
            seconds = row["seconds"]
            unit, factor = ("s", 1) if row["rows"] > 1 else ("µs a row", 1e6)
            text = "| %s | %s | %.3f %s | %.3f | %.3f |" % (row["label"], format(round(row["rate"]), ","), seconds["median"] * factor, unit, seconds["least"] * factor,
                                                           seconds["most"] * factor)
            if trino:
                text += " %s |" % (row["trino"] if isinstance(row["trino"], str) else "%.3f s" % row["trino"])
            lines.append(text)
    for row in part["rows"]:
        if "value" in row:
            lines.append("- %s: %.1f" % (row["label"], row["value"]))
    return lines


def write(folder, result):
    """report.md in the folder; its path."""
    machine = result["machine"]
    lines = ["# Benchmark", "", "%s, %d cores, %.1f GiB, Linux %s; begun %s; %d rounds, all take turns on one core." % (
        machine["processor"], machine["cores"], machine["memory_gib"], machine["kernel"], result["begun"], result["rounds"]), ""]
    lines += ["## Ratios", "", "| | | |", "|---|---|---:|"]
    for name, part in result["parts"].items():
        lines += ["| %s | %s | %.2f |" % (name, key, value) for key, value in part["ratios"].items()]
    for name, part in result["parts"].items():
        lines += ["", "## " + part["title"], "", part["note"] + ".", ""] + table(part)
        if plot(os.path.join(folder, name + ".svg"), part):
            lines += ["", "![%s](%s.svg)" % (part["title"], name)]
    path = os.path.join(folder, "report.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path
