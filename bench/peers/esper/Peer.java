import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;

/**
 * Esper over orders that stand decoded in memory, in order of time (it matches in order of arrival): Peer TSV OUT ROUNDS. A line of TSV is
 * user, country, order, milliseconds. Prints one JSON line per round; OUT gets the matches of the last one. The plain pattern without a context
 * was the fastest form found; external time, one thread.
 */
public final class Peer {
    public static final class Order {
        private final String userId, country, orderId;
        private final long ms;

        Order(String userId, String country, String orderId, long ms) {
            this.userId = userId;
            this.country = country;
            this.orderId = orderId;
            this.ms = ms;
        }

        public String getUserId() { return userId; }
        public String getCountry() { return country; }
        public String getOrderId() { return orderId; }
        public long getMs() { return ms; }
    }

    private static final String RULE = "@name('three') select a.orderId as a, b.orderId as b, c.orderId as c from pattern [every a=Purchase -> ("
            + "(b=Purchase(userId = a.userId, country != a.country) -> c=Purchase(userId = a.userId, country != a.country, country != b.country)) "
            + "where timer:within(120 sec))]";

    private Peer() {}

    public static void main(String[] args) throws Exception {
        List<Order> orders = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] f = line.split("\t");
                orders.add(new Order(f[0].intern(), f[1].intern(), f[2], Long.parseLong(f[3])));
            }
        }
        for (int round = 0; round < Integer.parseInt(args[2]); round++) {
            Configuration configuration = new Configuration();
            configuration.getCommon().addEventType("Purchase", Order.class);
            configuration.getRuntime().getThreading().setInternalTimerEnabled(false);
            EPCompiled compiled = EPCompilerProvider.getCompiler().compile(RULE, new CompilerArguments(configuration));
            EPRuntime runtime = EPRuntimeProvider.getRuntime("round" + round, configuration);
            EPEventService service = runtime.getEventService();
            service.clockExternal();
            service.advanceTime(orders.get(0).ms);
            List<String> matches = new ArrayList<>();
            runtime.getDeploymentService().deploy(compiled).getStatements()[0].addListener((fresh, old, statement, r) -> {
                for (var row : fresh) {
                    matches.add(row.get("a") + " " + row.get("b") + " " + row.get("c"));
                }
            });
            long begin = System.nanoTime();
            long now = -1;
            for (Order order : orders) {
                if (order.ms != now) {
                    now = order.ms;
                    service.advanceTime(now);
                }
                service.sendEventBean(order, "Purchase");
            }
            double seconds = (System.nanoTime() - begin) / 1e9;
            runtime.destroy();
            System.out.printf("{\"rows\": %d, \"seconds\": %.6f, \"matches\": %d}%n", orders.size(), seconds, matches.size());
            System.out.flush();
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
                matches.forEach(out::println);
            }
        }
        System.exit(0);
    }
}
