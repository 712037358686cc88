import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
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
import org.apache.flink.util.CloseableIterator;

/**
 * What Flink SQL answers: reads pairs {"id", "schema", "rows", "rule", "delay_s"} from one file and writes lines {"id", "rows"} or {"id", "error"} to
 * another. Many pairs make one bounded job of parallelism 1, since a job costs more than its rows; a job that fails is run again pair by pair.
 * Called by run.sh; knows nothing of patterns.
 */
public final class Answers {
    private static final int PAIRS_IN_A_JOB = 40;
    private static final ObjectMapper JSON = new ObjectMapper();

    private Answers() {}

    public static void main(String[] args) throws Exception {
        List<JsonNode> pairs = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                pairs.add(JSON.readTree(line));
            }
        }
        long begin = System.nanoTime();
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            for (int from = 0; from < pairs.size(); from += PAIRS_IN_A_JOB) {
                List<JsonNode> part = pairs.subList(from, Math.min(from + PAIRS_IN_A_JOB, pairs.size()));
                for (ObjectNode answer : answers(part)) {
                    out.println(JSON.writeValueAsString(answer));
                }
                out.flush();
                System.err.printf("flink: %d of %d, %.1f s%n", from + part.size(), pairs.size(), (System.nanoTime() - begin) / 1e9);
            }
        }
        System.exit(0);
    }

    private static List<ObjectNode> answers(List<JsonNode> part) {
        try {
            return job(part);
        } catch (Exception e) {
            if (part.size() == 1) {
                Throwable cause = e;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                return List.of(JSON.createObjectNode().put("id", part.get(0).get("id").asText()).put("error", String.valueOf(cause.getMessage())));
            }
            List<ObjectNode> found = new ArrayList<>();
            for (JsonNode pair : part) {
                found.addAll(answers(List.of(pair)));
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
            JsonNode pair = part.get(i);
            ObjectNode answer = JSON.createObjectNode().put("id", pair.get("id").asText());
            answers.put(i, answer);
            try {
                DataStream<String> one = stream(env, tables, pair, i);
                answer.putArray("rows");
                all = all == null ? one : all.union(one);
            } catch (RuntimeException e) {
                Throwable cause = e;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                answer.put("error", String.valueOf(cause.getMessage()));
            }
        }
        if (all != null) {
            try (CloseableIterator<String> rows = all.executeAndCollect()) {
                while (rows.hasNext()) {
                    ArrayNode row = (ArrayNode) JSON.readTree(rows.next());
                    ((ArrayNode) answers.get(row.get(0).asInt()).get("rows")).add(row.get(1));
                }
            }
        }
        return new ArrayList<>(answers.values());
    }

    private static DataStream<String> stream(StreamExecutionEnvironment env, StreamTableEnvironment tables, JsonNode pair, int number) {
        int width = pair.get("schema").size();
        String[] names = new String[width];
        TypeInformation<?>[] types = new TypeInformation<?>[width];
        Schema.Builder schema = Schema.newBuilder();
        for (int i = 0; i < width; i++) {
            String type = pair.get("schema").get(i).get(1).asText();
            names[i] = pair.get("schema").get(i).get(0).asText();
            types[i] = switch (type) {
                case "INT" -> Types.INT;
                case "BIGINT" -> Types.LONG;
                case "STRING" -> Types.STRING;
                default -> Types.LOCAL_DATE_TIME;
            };
            schema.column(names[i], type);
        }
        schema.watermark("ts", "ts - INTERVAL '" + pair.get("delay_s").asInt() + "' SECOND");
        List<Row> rows = new ArrayList<>();
        for (JsonNode values : pair.get("rows")) {
            Row row = new Row(width);
            for (int i = 0; i < width; i++) {
                JsonNode value = values.get(i);
                if (!value.isNull()) {
                    row.setField(i, types[i] == Types.INT ? (Object) value.asInt() : types[i] == Types.LONG ? (Object) value.asLong()
                            : types[i] == Types.STRING ? value.asText() : LocalDateTime.parse(value.asText()));
                }
            }
            rows.add(row);
        }
        String view = "ev" + number;
        tables.createTemporaryView(view, env.fromData(rows, Types.ROW_NAMED(names, types)), schema.build());
        String rule = pair.get("rule").asText().replace("FROM ev MATCH_RECOGNIZE", "FROM " + view + " MATCH_RECOGNIZE");
        return tables.toDataStream(tables.sqlQuery(rule)).map(row -> text(number, row)).returns(Types.STRING);
    }

    private static String text(int number, Row row) throws Exception {
        ArrayNode values = JSON.createArrayNode();
        for (int i = 0; i < row.getArity(); i++) {
            Object value = row.getField(i);
            values.add(value instanceof LocalDateTime ? JSON.valueToTree(value.toString()) : JSON.valueToTree(value));
        }
        return JSON.writeValueAsString(JSON.createArrayNode().add(number).add(values));
    }
}
