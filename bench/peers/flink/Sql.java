import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Flink SQL over a file of JSON orders: Sql FEW ALL RULE OUT ROUNDS. FEW is a short file: the time that the same job takes over it (planning,
 * start and end of the job) is taken off, in the peer's favour. Prints one JSON line per round; OUT gets the rows of the last one.
 * One task slot, object reuse, state on the heap, no checkpoints, no mini-batches (row patterns take none): the quickest that was found.
 */
public final class Sql {
    private Sql() {}

    public static void main(String[] args) throws Exception {
        String rule = Files.readString(Path.of(args[2])).trim().replaceAll(";$", "");
        run(args[0], rule);
        for (int round = 0; round < Integer.parseInt(args[4]); round++) {
            long begin = System.nanoTime();
            run(args[0], rule);
            long few = System.nanoTime() - begin;
            begin = System.nanoTime();
            List<String> rows = run(args[1], rule);
            double seconds = (System.nanoTime() - begin - few) / 1e9;
            long count;
            try (var lines = Files.lines(Path.of(args[1]))) {
                count = lines.count();
            }
            System.out.printf("{\"rows\": %d, \"seconds\": %.6f, \"matches\": %d}%n", count, seconds, rows.size());
            System.out.flush();
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[3])))) {
                rows.forEach(out::println);
            }
        }
        System.exit(0);
    }

    private static List<String> run(String file, String rule) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("table.local-time-zone", "UTC");
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        environment.setParallelism(1);
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        tables.getConfig().set("table.local-time-zone", "UTC");
        tables.executeSql("CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), card_id STRING, "
                + "merchant_id STRING, ip STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND) WITH ('connector' = 'filesystem', "
                + "'path' = '" + file + "', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')");
        List<String> rows = new ArrayList<>();
        try (CloseableIterator<Row> found = tables.executeSql(rule).collect()) {
            while (found.hasNext()) {
                Row row = found.next();
                rows.add(row.getField("a_id") + " " + row.getField("b_id") + " " + row.getField("c_id"));
            }
        }
        return rows;
    }
}
