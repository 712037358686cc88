import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.PatternSelectFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Flink's pattern API over orders that stand decoded in memory, in order of time: Cep TSV OUT ROUNDS [past]. A line of TSV is user, country, order,
 * milliseconds. The time is from the first event to the last match (start of the job left out). Prints one JSON line per round; OUT gets the matches
 * of the last one: for each start, or with "past" those behind the last row of the match before. One slot, object reuse, heap state, no checkpoints.
 */
public final class Cep {
    public static final class Order {
        public String user, country, id;
        public long ms;

        public Order() {}
    }

    private static final List<Order> ORDERS = new ArrayList<>();
    private static final List<String> MATCHES = new ArrayList<>();
    private static volatile long begin;

    private Cep() {}

    public static void main(String[] args) throws Exception {
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] f = line.split("\t");
                Order order = new Order();
                order.user = f[0].intern();
                order.country = f[1].intern();
                order.id = f[2];
                order.ms = Long.parseLong(f[3]);
                ORDERS.add(order);
            }
        }
        for (int round = 0; round < Integer.parseInt(args[2]); round++) {
            MATCHES.clear();
            job(args.length > 3 && args[3].equals("past") ? AfterMatchSkipStrategy.skipPastLastEvent() : AfterMatchSkipStrategy.noSkip());
            double seconds = (System.nanoTime() - begin) / 1e9;
            System.out.printf("{\"rows\": %d, \"seconds\": %.6f, \"matches\": %d}%n", ORDERS.size(), seconds, MATCHES.size());
            System.out.flush();
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
                MATCHES.forEach(out::println);
            }
        }
        System.exit(0);
    }

    private static void job(AfterMatchSkipStrategy skip) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("pipeline.object-reuse", "true");
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        environment.setParallelism(1);
        DataStream<Order> orders = environment.fromSequence(0, ORDERS.size() - 1).map(i -> {
            if (i == 0) {
                begin = System.nanoTime();
            }
            return ORDERS.get(i.intValue());
        }).returns(Types.POJO(Order.class)).assignTimestampsAndWatermarks(
                WatermarkStrategy.<Order>forBoundedOutOfOrderness(Duration.ofSeconds(3)).withTimestampAssigner((order, at) -> order.ms));
        Pattern<Order, ?> pattern = Pattern.<Order>begin("a", skip).followedBy("b").where(new IterativeCondition<Order>() {
            @Override
            public boolean filter(Order order, Context<Order> context) throws Exception {
                return !order.country.equals(context.getEventsForPattern("a").iterator().next().country);
            }
        }).followedBy("c").where(new IterativeCondition<Order>() {
            @Override
            public boolean filter(Order order, Context<Order> context) throws Exception {
                return !order.country.equals(context.getEventsForPattern("a").iterator().next().country)
                        && !order.country.equals(context.getEventsForPattern("b").iterator().next().country);
            }
        }).within(Duration.ofMinutes(2));
        CEP.pattern(orders.keyBy(order -> order.user), pattern).select(new PatternSelectFunction<Order, String>() {
            @Override
            public String select(Map<String, List<Order>> match) {
                String text = match.get("a").get(0).id + " " + match.get("b").get(0).id + " " + match.get("c").get(0).id;
                MATCHES.add(text);
                return text;
            }
        }).returns(Types.STRING).sinkTo(new DiscardingSink<>());
        environment.execute();
    }
}
