import java.io.BufferedReader;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

/**
 * What Flink SQL answers, as a stream: reads {"id", "tables": [{"name", "schema", "delay_s", "rows"}], "sql"} from one file and writes lines {"id", "rows"} or
 * {"id", "error"} to another: the rows that stand once all changes were applied. Several queries make one bounded job; a job that fails is run query by query.
 */
public final class Relational {
    private static final int QUERIES_IN_A_JOB = 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private Relational() {}

    public static void main(String[] args) throws Exception {
        List<JsonNode> queries = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                queries.add(JSON.readTree(line));
            }
        }
        long begin = System.nanoTime();
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            for (int from = 0; from < queries.size(); from += QUERIES_IN_A_JOB) {
                List<JsonNode> part = queries.subList(from, Math.min(from + QUERIES_IN_A_JOB, queries.size()));
                for (ObjectNode answer : answers(part)) {
                    out.println(JSON.writeValueAsString(answer));
                }
                out.flush();
                System.err.printf("flink: %d of %d, %.1f s%n", from + part.size(), queries.size(), (System.nanoTime() - begin) / 1e9);
            }
        }
        System.exit(0);
    }

    private static String cause(Exception e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return String.valueOf(cause.getMessage());
    }

    private static List<ObjectNode> answers(List<JsonNode> part) {
        try {
            return job(part);
        } catch (Exception e) {
            if (part.size() == 1) {
                return List.of(JSON.createObjectNode().put("id", part.get(0).get("id").asText()).put("error", cause(e)));
            }
            List<ObjectNode> found = new ArrayList<>();
            for (JsonNode one : part) {
                found.addAll(answers(List.of(one)));
            }
            return found;
        }
    }

    private static List<ObjectNode> job(List<JsonNode> part) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("taskmanager.memory.network.min", "256m");
        settings.setString("taskmanager.memory.network.max", "256m");
        settings.setString("taskmanager.memory.managed.size", "64m");
        settings.setString("taskmanager.numberOfTaskSlots", "1");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().set("table.local-time-zone", "UTC");
        Map<Integer, ObjectNode> answers = new TreeMap<>();
        DataStream<String> all = null;
        for (int i = 0; i < part.size(); i++) {
            ObjectNode answer = JSON.createObjectNode().put("id", part.get(i).get("id").asText());
            answers.put(i, answer);
            try {
                DataStream<String> one = stream(env, tables, part.get(i), i);
                answer.putArray("rows");
                all = all == null ? one : all.union(one);
            } catch (RuntimeException e) {
                answer.put("error", cause(e));
            }
        }
        Map<Integer, Map<String, Integer>> standing = new TreeMap<>();
        if (all != null) {
            try (CloseableIterator<String> rows = all.executeAndCollect()) {
                while (rows.hasNext()) {
                    ArrayNode row = (ArrayNode) JSON.readTree(rows.next());
                    standing.computeIfAbsent(row.get(0).asInt(), n -> new LinkedHashMap<>()).merge(row.get(2).toString(), row.get(1).asInt(), Integer::sum);
                }
            }
        }
        for (Map.Entry<Integer, Map<String, Integer>> query : standing.entrySet()) {
            for (Map.Entry<String, Integer> row : query.getValue().entrySet()) {
                if (row.getValue() < 0) {
                    throw new IllegalStateException("a row is taken back more often than it was given: " + row.getKey());
                }
                for (int n = 0; n < row.getValue(); n++) {
                    ((ArrayNode) answers.get(query.getKey()).get("rows")).add(JSON.readTree(row.getKey()));
                }
            }
        }
        return new ArrayList<>(answers.values());
    }

    private static void table(StreamExecutionEnvironment env, StreamTableEnvironment tables, JsonNode table, String name) {
        int width = table.get("schema").size();
        String[] names = new String[width];
        TypeInformation<?>[] types = new TypeInformation<?>[width];
        Schema.Builder schema = Schema.newBuilder();
        for (int i = 0; i < width; i++) {
            String type = table.get("schema").get(i).get(1).asText();
            names[i] = table.get("schema").get(i).get(0).asText();
            types[i] = switch (type) {
                case "INT" -> Types.INT;
                case "BIGINT" -> Types.LONG;
                case "STRING" -> Types.STRING;
                case "DECIMAL(12, 2)" -> Types.BIG_DEC;
                default -> Types.LOCAL_DATE_TIME;
            };
            schema.column(names[i], table.has("changes") && i == 0 ? type + " NOT NULL" : type);
        }
        boolean changes = table.has("changes"); // each row has its kind in front, and the first column is the key
        if (changes) {
            schema.primaryKey(names[0]);
        } else {
            schema.watermark("ts", "ts - INTERVAL '" + table.get("delay_s").asInt() + "' SECOND");
        }
        List<Row> rows = new ArrayList<>();
        for (JsonNode values : table.get("rows")) {
            Row row = new Row(changes ? RowKind.valueOf(values.get(0).asText()) : RowKind.INSERT, width);
            for (int i = 0; i < width; i++) {
                JsonNode value = values.get(changes ? i + 1 : i);
                if (!value.isNull()) {
                    row.setField(i, types[i] == Types.INT ? (Object) value.asInt() : types[i] == Types.LONG ? (Object) value.asLong()
                            : types[i] == Types.STRING ? value.asText() : types[i] == Types.BIG_DEC ? new BigDecimal(value.asText()) : LocalDateTime.parse(value.asText()));
                }
            }
            rows.add(row);
        }
        DataStream<Row> stream = rows.isEmpty()
                ? env.fromData(List.of(new Row(width)), Types.ROW_NAMED(names, types)).filter(row -> false)
                : env.fromData(rows, Types.ROW_NAMED(names, types));
        if (changes) {
            tables.createTemporaryView(name, tables.fromChangelogStream(stream, schema.build()));
        } else {
            tables.createTemporaryView(name, stream, schema.build());
        }
    }

    private static DataStream<String> stream(StreamExecutionEnvironment env, StreamTableEnvironment tables, JsonNode query, int number) {
        String sql = query.get("sql").asText();
        for (JsonNode table : query.get("tables")) {
            String name = table.get("name").asText();
            table(env, tables, table, name + "_" + number);
            sql = sql.replaceAll("\\b" + name + "\\b", name + "_" + number);
        }
        return tables.toChangelogStream(tables.sqlQuery(sql)).map(row -> text(number, row)).returns(Types.STRING);
    }

    private static String text(int number, Row row) throws Exception {
        boolean gone = row.getKind() == RowKind.DELETE || row.getKind() == RowKind.UPDATE_BEFORE;
        ArrayNode values = JSON.createArrayNode();
        for (int i = 0; i < row.getArity(); i++) {
            values.addPOJO(row.getField(i));
        }
        return "[" + number + "," + (gone ? -1 : 1) + "," + JSON.writeValueAsString(values) + "]";
    }
}
