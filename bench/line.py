"""One line of a table of the report: told at once, and kept."""


def line(label, rows, figures):
    """Rows a second of the median, and the spread."""
    rate = rows / figures["median"] if figures["median"] > 0 else 0.0
    print("   %-48s %12.0f rows/s  (%.3f s, %.3f to %.3f)" % (label, rate, figures["median"], figures["least"], figures["most"]), flush=True)
    return {"label": label, "rows": rows, "seconds": figures, "rate": rate}


def value(label, number, spread=None):
    """A figure that is no rate; spread: (least, most)."""
    print("   %-48s %12.2f%s" % (label, number, "  (%.2f to %.2f)" % spread if spread else ""), flush=True)
    return dict({"label": label, "value": number}, **({"spread": spread} if spread else {}))
