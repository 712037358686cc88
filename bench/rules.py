"""Rule texts of the benchmark."""

TABLE = """CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), card_id STRING, merchant_id STRING, ip STRING,
  ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json');
"""

THREE = """CREATE RULE three_countries%(suffix)s WITH ('severity' = 'high', 'title' = 'Three countries in two minutes', 'emit' = 'eager') AS
SELECT user_id, a, b, c FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country AS a, B.country AS b, C.country AS c
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN INTERVAL '%(minutes)d' MINUTE
  DEFINE B AS B.country <> A.country, C AS C.country <> A.country AND C.country <> B.country);
"""


def three(path, minutes=2):
    """The rule of the whole benchmark: three orders from three countries."""
    return TABLE % path + THREE % {"suffix": "", "minutes": minutes}


def unary(path):
    """CORE's own sequence: three conditions that ask the row alone, no partition, rows in order."""
    return TABLE.replace(" - INTERVAL '3' SECOND", "") % path + """CREATE RULE unary WITH ('emit' = 'eager') AS
SELECT a FROM orders MATCH_RECOGNIZE (ORDER BY ts MEASURES A.order_id AS a ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE DEFINE A AS A.country = 'US', B AS B.country = 'GB', C AS C.country = 'DE');
"""


def every(path, eager=False):
    """The same from each start, as Esper, Siddhi and Flink's pattern API understand `every a -> b -> c`. eager: as a rule that tells at once, not as a query."""
    head = "CREATE RULE every_start WITH ('emit' = 'eager') AS\n" if eager else ""
    return TABLE % path + head + """SELECT a, b, c FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.order_id AS a, B.order_id AS b, C.order_id AS c
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE
  DEFINE B AS B.country <> A.country, C AS C.country <> A.country AND C.country <> B.country);
"""


def past(path):
    """The same behind the last row of the match before: the matches of the whole benchmark's rule, by their orders."""
    return every(path).replace("SKIP TO NEXT ROW", "SKIP PAST LAST ROW")


def length(path, steps):
    """A chain of `steps` orders, each from another country than the one before."""
    names = ["S%d" % i for i in range(1, steps + 1)]
    defines = ", ".join("%s AS %s.country <> %s.country" % (name, name, before) for before, name in zip(names, names[1:]))
    return TABLE % path + """CREATE RULE chain WITH ('emit' = 'eager') AS
SELECT user_id, first_order FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES FIRST(S1.order_id) AS first_order
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (%s) WITHIN INTERVAL '2' MINUTE
  DEFINE %s);
""" % (" -> ".join(names), defines)


def many(path, count):
    """`count` rules over the one stream; each begins at a merchant of its own, so that few can care about an order."""
    text = [TABLE % path]
    for i in range(count):
        text.append("""CREATE RULE merchant_%(i)04d WITH ('emit' = 'eager') AS
SELECT user_id, a, b FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.country AS a, B.country AS b
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A -> B) WITHIN INTERVAL '2' MINUTE
  DEFINE A AS A.merchant_id = 'm%(merchant)05d' AND A.amount > 50, B AS B.merchant_id = 'm%(merchant)05d' AND B.country <> A.country);
""" % {"i": i, "merchant": 100 + i * 3})
    return "".join(text)


ADVERSARIAL = {  # name: (pattern, DEFINE): nothing of this may explode
    "A+ B, B never": ("A+ B", "A AS A.amount >= 0, B AS B.amount < 0"),
    "(A|B)* C, C never": ("(A | B)* C", "A AS A.amount >= 0, B AS B.amount >= 1, C AS C.amount < 0"),
    "A X*? B, B never": ("A X*? B", "B AS B.amount < 0"),
    "A X*? B X*? C, compared": ("A X*? B Y*? C", "B AS B.country <> A.country, C AS C.amount < A.amount - B.amount - 100000"),
}


def adversarial(path, pattern, defines, partition="user_id"):
    return TABLE % path + """CREATE RULE hard WITH ('emit' = 'eager') AS
SELECT %(partition)s FROM orders MATCH_RECOGNIZE (
  PARTITION BY %(partition)s ORDER BY ts MEASURES LAST(A.order_id) AS a
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (%(pattern)s) WITHIN INTERVAL '20' MINUTE DEFINE %(defines)s);
""" % {"partition": partition, "pattern": pattern, "defines": defines}
