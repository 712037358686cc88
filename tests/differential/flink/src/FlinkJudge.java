import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/**
 * Standard input: per job one line with the statement that makes the table and one with the query. Prints the rows of each query as one JSON
 * array per line, or {"error": text}. Started by make.py.
 */
public final class FlinkJudge {
    private FlinkJudge() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        TableEnvironment env = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().build());
        env.getConfig().set("parallelism.default", "1");
        env.getConfig().set("table.exec.resource.default-parallelism", "1");
        env.getConfig().set("table.local-time-zone", "UTC");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String table = in.readLine(); table != null; table = in.readLine()) {
            String query = in.readLine();
            out.println(answer(env, table, query));
            out.flush();
        }
    }

    private static String answer(TableEnvironment env, String table, String query) {
        StringBuilder text = new StringBuilder("[");
        try {
            env.executeSql("DROP TEMPORARY TABLE IF EXISTS ev");
            env.executeSql(table);
            try (CloseableIterator<Row> rows = env.executeSql(query).collect()) {
                while (rows.hasNext()) {
                    Row row = rows.next();
                    text.append(text.length() > 1 ? ",[" : "[");
                    for (int i = 0; i < row.getArity(); i++) {
                        text.append(i > 0 ? "," : "");
                        value(text, row.getField(i));
                    }
                    text.append(']');
                }
            }
            return text.append("]").toString();
        } catch (Exception e) {
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            StringBuilder error = new StringBuilder("{\"error\":");
            value(error, String.valueOf(cause.getMessage()));
            return error.append("}").toString();
        }
    }

    private static void value(StringBuilder out, Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            out.append(value);
            return;
        }
        if (value instanceof LocalDateTime time) {
            out.append(time.toInstant(ZoneOffset.UTC).toEpochMilli());
            return;
        }
        out.append('"');
        for (char c : value.toString().toCharArray()) {
            if (c < ' ' || c == '"' || c == '\\') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
