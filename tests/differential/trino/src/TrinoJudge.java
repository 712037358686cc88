import io.trino.Session;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import io.trino.testing.TestingSession;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Runs one query per line of standard input in Trino's in-process query runner and prints its rows as one JSON array per line,
 * or {"error": text}. Started by make.py.
 */
public final class TrinoJudge {
    private TrinoJudge() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
        System.setOut(System.err); // what libraries print must not get between the answers
        Session session = TestingSession.testSessionBuilder().build();
        try (LocalQueryRunner runner = LocalQueryRunner.create(session)) {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String sql = in.readLine(); sql != null; sql = in.readLine()) {
                out.println(answer(runner, sql));
                out.flush();
            }
        }
    }

    private static String answer(LocalQueryRunner runner, String sql) {
        StringBuilder text = new StringBuilder("[");
        try {
            MaterializedResult result = runner.execute(sql);
            for (MaterializedRow row : result.getMaterializedRows()) {
                text.append(text.length() > 1 ? "," : "");
                value(text, row.getFields());
            }
            return text.append("]").toString();
        } catch (RuntimeException e) {
            StringBuilder error = new StringBuilder("{\"error\":");
            value(error, String.valueOf(e.getMessage()));
            return error.append("}").toString();
        }
    }

    private static void value(StringBuilder out, Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            out.append(value);
        } else if (value instanceof List<?> list) {
            out.append('[');
            for (int i = 0; i < list.size(); i++) {
                out.append(i > 0 ? "," : "");
                value(out, list.get(i));
            }
            out.append(']');
        } else {
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
}
