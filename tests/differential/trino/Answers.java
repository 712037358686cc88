import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedRow;
import io.trino.testing.TestingSession;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What Trino answers: reads lines {"id", "sql"} from one file and writes lines {"id", "rows"} or {"id", "error"} to another, all in one process.
 * Called by run.sh; knows nothing of patterns.
 */
public final class Answers {
    private Answers() {}

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        try (LocalQueryRunner runner = LocalQueryRunner.create(TestingSession.testSessionBuilder().build());
                BufferedReader in = Files.newBufferedReader(Path.of(args[0]));
                PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            long begin = System.nanoTime();
            int count = 0;
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                JsonNode pair = json.readTree(line);
                ObjectNode answer = json.createObjectNode();
                answer.set("id", pair.get("id"));
                try {
                    var rows = json.createArrayNode();
                    for (MaterializedRow row : runner.execute(pair.get("sql").asText()).getMaterializedRows()) {
                        rows.add(json.valueToTree(row.getFields()));
                    }
                    answer.set("rows", rows);
                } catch (RuntimeException e) {
                    answer.put("error", String.valueOf(e.getMessage()));
                }
                out.println(json.writeValueAsString(answer));
                if (++count % 500 == 0) {
                    System.err.printf("trino: %d answers, %.1f s%n", count, (System.nanoTime() - begin) / 1e9);
                }
            }
        }
        System.exit(0);
    }
}
