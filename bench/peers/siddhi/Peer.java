import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import io.siddhi.core.SiddhiAppRuntime;
import io.siddhi.core.SiddhiManager;
import io.siddhi.core.event.Event;
import io.siddhi.core.stream.input.InputHandler;
import io.siddhi.core.stream.output.StreamCallback;

/**
 * Siddhi over orders that stand decoded in memory, in order of time (it matches in order of arrival): Peer TSV OUT ROUNDS. A line of TSV is
 * user, country, order, milliseconds. Prints one JSON line per round; OUT gets the matches of the last one. Playback time, one thread, no async
 * buffers; a partition by user is far faster than a condition on the user.
 */
public final class Peer {
    private static final String RULE = "@app:playback define stream Orders (userId string, country string, orderId string); "
            + "partition with (userId of Orders) begin "
            + "from every a=Orders -> b=Orders[country != a.country] -> c=Orders[country != a.country and country != b.country] within 2 min "
            + "select a.orderId as a, b.orderId as b, c.orderId as c insert into Found; end;";

    private Peer() {}

    public static void main(String[] args) throws Exception {
        List<Object[]> orders = new ArrayList<>();
        List<Long> times = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] f = line.split("\t");
                orders.add(new Object[] {f[0].intern(), f[1].intern(), f[2]});
                times.add(Long.parseLong(f[3]));
            }
        }
        for (int round = 0; round < Integer.parseInt(args[2]); round++) {
            SiddhiManager manager = new SiddhiManager();
            SiddhiAppRuntime runtime = manager.createSiddhiAppRuntime(RULE);
            List<String> matches = new ArrayList<>();
            runtime.addCallback("Found", new StreamCallback() {
                @Override
                public void receive(Event[] events) {
                    for (Event event : events) {
                        matches.add(event.getData(0) + " " + event.getData(1) + " " + event.getData(2));
                    }
                }
            });
            InputHandler input = runtime.getInputHandler("Orders");
            runtime.start();
            long begin = System.nanoTime();
            for (int i = 0; i < orders.size(); i++) {
                input.send(times.get(i), orders.get(i));
            }
            double seconds = (System.nanoTime() - begin) / 1e9;
            runtime.shutdown();
            manager.shutdown();
            System.out.printf("{\"rows\": %d, \"seconds\": %.6f, \"matches\": %d}%n", orders.size(), seconds, matches.size());
            System.out.flush();
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
                matches.forEach(out::println);
            }
        }
        System.exit(0);
    }
}
