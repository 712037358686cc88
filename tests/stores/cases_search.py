"""A real OpenSearch node: documents by key, deletes, versions, what its mapping refuses, a kill in mid-stream."""
import programs
from world import Songs, equal, wait_equal

TEN = """
CREATE TABLE top_songs (song STRING, plays BIGINT, PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'opensearch', 'hosts' = '{url}', 'index' = 'top', 'sink.batch-rows' = '50');
INSERT INTO top_songs
SELECT song, plays FROM (
  SELECT song, plays, ROW_NUMBER() OVER (ORDER BY plays DESC) AS place FROM (SELECT song, SUM(plays) AS plays FROM plays GROUP BY song))
WHERE place <= 10;
CREATE TABLE history (song STRING, plays BIGINT, price DECIMAL(12,2), at TIMESTAMP_LTZ(3))
WITH ('connector' = 'elasticsearch-7', 'hosts' = '{url}', 'index' = 'history', 'sink.batch-rows' = '20');
INSERT INTO history SELECT song, plays, price, at FROM plays;
"""
MAPPING = '{"settings": {"number_of_replicas": 0}, "mappings": {"dynamic": "strict", "properties": {"song": {"type": "keyword"}, "plays": {"type": "long"}%s}}}'


def case_search_real_opensearch():
    with programs.OpenSearch() as node, Songs(TEN.format(url=node.url())) as songs:
        rows = [("song %d" % (i * i % 31), i % 17 + 1) for i in range(900)]
        songs.start().add(*rows[:200])
        songs.wait_trouble("top_songs", "the search index at http://127.0.0.1:%d" % node.port)  # absent at the start
        node.start()
        equal(node.ask("/top", MAPPING % "", "PUT")["acknowledged"], True, "an index")
        equal(node.ask("/history", MAPPING % ', "at": {"type": "date"}', "PUT")["acknowledged"], True, "another, which knows no price")
        songs.wait_trouble("history", "document ", "price")
        equal(node.ask("/history/_mapping", '{"properties": {"price": {"type": "double"}}}', "PUT")["acknowledged"], True, "mended")
        songs.add(*rows[200:500])
        songs.wait_empty("top_songs")
        node.kill()
        songs.kill()
        songs.start().add(*rows[500:])
        node.start()
        sums = {}
        for song, plays in rows:
            sums[song] = sums.get(song, 0) + plays
        want = sorted(((song, plays) for song, plays in sums.items()), key=lambda pair: -pair[1])[:10]

        def found():
            node.ask("/top/_refresh", "{}")
            hits = ((node.ask("/top/_search?size=100") or {}).get("hits") or {}).get("hits", [])
            return sorted((hit["_source"]["song"], hit["_source"]["plays"]) for hit in hits)
        wait_equal("ten documents", found, sorted(want), timeout=120)

        def counted():
            node.ask("/history/_refresh", "{}")
            return (node.ask("/history/_search", '{"size": 0, "track_total_hits": true, "aggs": {"sum": {"sum": {"field": "plays"}}}}') or {}).get("aggregations", {}).get("sum", {}).get(
                "value"), (node.ask("/history/_count") or {}).get("count")
        wait_equal("every row once", counted, (float(sum(plays for _, plays in rows)), 900), timeout=120)
