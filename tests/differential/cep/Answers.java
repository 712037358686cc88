import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.EventComparator;
import org.apache.flink.cep.PatternStream;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.functions.TimedOutPartialMatchHandler;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipToFirstStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipToLastStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.WithinType;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * What Flink CEP answers: reads cases of kind pattern_api (tests/conformance/README.md: "schema", "rows", "pattern_api") from one file and writes lines
 * {"id", "matches", "timeouts"} or {"id", "error", "malformed"} to another. Many cases make one bounded job of parallelism 1; a job that fails is run
 * again case by case. Called by run.sh.
 */
public final class Answers {
    private static final int CASES_IN_A_JOB = 60;
    private static final ObjectMapper JSON = new ObjectMapper();

    private Answers() {}

    public static void main(String[] args) throws Exception {
        List<JsonNode> cases = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                cases.add(JSON.readTree(line));
            }
        }
        long begin = System.nanoTime();
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            for (int from = 0; from < cases.size(); from += CASES_IN_A_JOB) {
                List<JsonNode> part = cases.subList(from, Math.min(from + CASES_IN_A_JOB, cases.size()));
                for (ObjectNode answer : answers(part)) {
                    out.println(JSON.writeValueAsString(answer));
                }
                out.flush();
                System.err.printf("cep: %d of %d, %.1f s%n", from + part.size(), cases.size(), (System.nanoTime() - begin) / 1e9);
            }
        }
        System.exit(0);
    }

    private static String root(Throwable e) {
        while (e.getCause() != null) {
            e = e.getCause();
        }
        return e.getClass().getSimpleName() + ": " + e.getMessage();
    }

    private static List<ObjectNode> answers(List<JsonNode> part) {
        try {
            return job(part);
        } catch (Exception e) {
            if (part.size() == 1) {
                return List.of(JSON.createObjectNode().put("id", part.get(0).get("id").asText()).put("error", root(e)));
            }
            List<ObjectNode> found = new ArrayList<>();
            int half = part.size() / 2;
            found.addAll(answers(part.subList(0, half)));
            found.addAll(answers(part.subList(half, part.size())));
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
        Map<Integer, ObjectNode> answers = new TreeMap<>();
        DataStream<String> all = null;
        for (int i = 0; i < part.size(); i++) {
            ObjectNode answer = JSON.createObjectNode().put("id", part.get(i).get("id").asText());
            answers.put(i, answer);
            try {
                DataStream<String> one = stream(env, part.get(i), i);
                answer.putArray("matches");
                answer.putArray("timeouts");
                all = all == null ? one : all.union(one);
            } catch (RuntimeException e) {
                answer.put("error", root(e)).put("malformed", true);
            }
        }
        if (all != null) {
            try (CloseableIterator<String> rows = all.executeAndCollect()) {
                while (rows.hasNext()) {
                    ArrayNode row = (ArrayNode) JSON.readTree(rows.next());
                    ObjectNode answer = answers.get(row.get(0).asInt());
                    if (row.size() == 2) {
                        ((ArrayNode) answer.get("matches")).add(row.get(1));
                    } else {
                        ((ArrayNode) answer.get("timeouts")).addObject().put("ts", row.get(2).asLong()).set("match", row.get(1));
                    }
                }
            }
        }
        return new ArrayList<>(answers.values());
    }

    private static DataStream<String> stream(StreamExecutionEnvironment env, JsonNode one, int number) {
        JsonNode schema = one.get("schema");
        int width = schema.size();
        String[] names = new String[width];
        TypeInformation<?>[] types = new TypeInformation<?>[width];
        for (int i = 0; i < width; i++) {
            names[i] = schema.get(i).get(0).asText();
            String type = schema.get(i).get(1).asText();
            types[i] = type.equals("STRING") ? Types.STRING : type.equals("DOUBLE") ? Types.DOUBLE : Types.LONG;
        }
        List<Row> rows = new ArrayList<>();
        for (JsonNode values : one.get("rows")) {
            Row row = new Row(width);
            for (int i = 0; i < width; i++) {
                JsonNode value = values.get(i);
                if (!value.isNull()) {
                    row.setField(i, types[i] == Types.STRING ? value.asText() : types[i] == Types.DOUBLE ? (Object) value.asDouble() : value.asLong());
                }
            }
            rows.add(row);
        }
        List<String> columns = List.of(names);
        int at = columns.indexOf("ts");
        Pattern<Row, Row> pattern = pattern(one.get("pattern_api"), columns);
        // No watermark before the end: the operator sorts by time, and nothing is late.
        DataStream<Row> events = env.fromData(rows, Types.ROW_NAMED(names, types)).assignTimestampsAndWatermarks(
                WatermarkStrategy.<Row>noWatermarks().withTimestampAssigner((row, t) -> (Long) row.getField(at)));
        if (one.hasNonNull("partition_by")) {
            int key = columns.indexOf(one.get("partition_by").asText());
            events = events.keyBy(row -> String.valueOf(row.getField(key)));
        }
        PatternStream<Row> matcher = CEP.pattern(events, pattern);
        if (one.hasNonNull("order_by")) {
            String[] keys = one.get("order_by").asText().split("\\s*,\\s*");
            int second = columns.indexOf(keys[keys.length - 1]);
            matcher = CEP.pattern(events, pattern, new ByColumn(second));
        }
        OutputTag<String> late = new OutputTag<>("timeouts-" + number, Types.STRING);
        SingleOutputStreamOperator<String> found =
                matcher.inEventTime().process(new Teller(number, columns.indexOf("id"), late), Types.STRING);
        return found.union(found.getSideOutput(late));
    }

    private static final class ByColumn implements EventComparator<Row> {
        private final int column;

        ByColumn(int column) {
            this.column = column;
        }

        @Override
        @SuppressWarnings("unchecked")
        public int compare(Row a, Row b) {
            return ((Comparable<Object>) a.getField(column)).compareTo(b.getField(column));
        }
    }

    private static final class Teller extends PatternProcessFunction<Row, String> implements TimedOutPartialMatchHandler<Row> {
        private final int number;
        private final int id;
        private final OutputTag<String> late;

        Teller(int number, int id, OutputTag<String> late) {
            this.number = number;
            this.id = id;
            this.late = late;
        }

        private ArrayNode told(Map<String, List<Row>> match) {
            ObjectNode map = JSON.createObjectNode();
            match.forEach((name, rows) -> {
                ArrayNode ids = map.putArray(name);
                rows.forEach(row -> ids.add((Long) row.getField(id)));
            });
            return JSON.createArrayNode().add(number).add(map);
        }

        @Override
        public void processMatch(Map<String, List<Row>> match, Context context, Collector<String> out) {
            out.collect(told(match).toString());
        }

        @Override
        public void processTimedOutMatch(Map<String, List<Row>> match, Context context) {
            context.output(late, told(match).add(context.timestamp()).toString());
        }
    }

    // ---- patterns ----
    private static AfterMatchSkipStrategy strategy(JsonNode api) {
        String skip = api.get("skip").asText();
        boolean strict = api.path("skip_throw_on_miss").asBoolean();
        if (skip.startsWith("SKIP_TO_FIRST[")) {
            SkipToFirstStrategy to = AfterMatchSkipStrategy.skipToFirst(skip.substring(14, skip.length() - 1));
            return strict ? to.throwExceptionOnMiss() : to;
        }
        if (skip.startsWith("SKIP_TO_LAST[")) {
            SkipToLastStrategy to = AfterMatchSkipStrategy.skipToLast(skip.substring(13, skip.length() - 1));
            return strict ? to.throwExceptionOnMiss() : to;
        }
        return switch (skip) {
            case "SKIP_TO_NEXT" -> AfterMatchSkipStrategy.skipToNext();
            case "SKIP_PAST_LAST_EVENT" -> AfterMatchSkipStrategy.skipPastLastEvent();
            default -> AfterMatchSkipStrategy.noSkip();
        };
    }

    private static Pattern<Row, Row> pattern(JsonNode api, List<String> columns) {
        Pattern<Row, Row> pattern = chain(api.get("pattern"), strategy(api), columns);
        if (api.hasNonNull("within_ms")) {
            boolean neighbours = "PREVIOUS_AND_CURRENT".equals(api.path("within_type").asText());
            pattern = pattern.within(Duration.ofMillis(api.get("within_ms").asLong()), neighbours ? WithinType.PREVIOUS_AND_CURRENT : WithinType.FIRST_AND_LAST);
        }
        return pattern;
    }

    private static Pattern<Row, Row> chain(JsonNode stages, AfterMatchSkipStrategy skip, List<String> columns) {
        Pattern<Row, Row> p = null;
        for (JsonNode stage : stages) {
            String contiguity = stage.get("contiguity").asText();
            if (stage.has("group")) {
                Pattern<Row, Row> group = chain(stage.get("group"), null, columns);
                p = switch (contiguity) {
                    case "begin" -> skip == null ? Pattern.begin(group) : Pattern.begin(group, skip);
                    case "next" -> p.next(group);
                    case "followedBy" -> p.followedBy(group);
                    case "followedByAny" -> p.followedByAny(group);
                    default -> throw new IllegalArgumentException("a group with " + contiguity);
                };
                p = quantified(p, stage, columns);
                continue;
            }
            String name = stage.get("name").asText();
            p = switch (contiguity) {
                case "begin" -> skip == null ? Pattern.<Row>begin(name) : Pattern.<Row>begin(name, skip);
                case "next" -> p.next(name);
                case "followedBy" -> p.followedBy(name);
                case "followedByAny" -> p.followedByAny(name);
                case "notNext" -> p.notNext(name);
                case "notFollowedBy" -> p.notFollowedBy(name);
                default -> throw new IllegalArgumentException(contiguity);
            };
            if (!stage.get("cond").asText().equals("TRUE")) {
                p = p.where(new Condition(stage.get("cond").asText(), columns));
            }
            p = quantified(p, stage, columns);
        }
        return p;
    }

    private static Pattern<Row, Row> quantified(Pattern<Row, Row> p, JsonNode stage, List<String> columns) {
        Duration gap = stage.hasNonNull("times_window_ms") ? Duration.ofMillis(stage.get("times_window_ms").asLong()) : null;
        if (stage.path("oneOrMore").asBoolean()) {
            p = gap == null ? p.oneOrMore() : p.oneOrMore(gap);
        }
        if (stage.hasNonNull("times")) {
            int from = stage.get("times").get("from").asInt();
            if (stage.get("times").get("to").isNull()) {
                p = gap == null ? p.timesOrMore(from) : p.timesOrMore(from, gap);
            } else {
                int to = stage.get("times").get("to").asInt();
                p = from == to ? (gap == null ? p.times(from) : p.times(from, gap)) : gap == null ? p.times(from, to) : p.times(from, to, gap);
            }
        }
        p = stage.path("optional").asBoolean() ? p.optional() : p;
        p = stage.path("greedy").asBoolean() ? p.greedy() : p;
        p = stage.path("combinations").asBoolean() ? p.allowCombinations() : p;
        p = stage.path("consecutive").asBoolean() ? p.consecutive() : p;
        return stage.hasNonNull("until") ? p.until(new Condition(stage.get("until").asText(), columns)) : p;
    }

    // ---- conditions ----
    private static final class Condition extends IterativeCondition<Row> {
        private final String text;
        private final List<String> columns;
        private transient Node tree;

        Condition(String text, List<String> columns) {
            this.text = text;
            this.columns = new ArrayList<>(columns);
            new Reader(text, columns).whole();
        }

        @Override
        public boolean filter(Row row, Context<Row> context) throws Exception {
            if (tree == null) {
                tree = new Reader(text, columns).whole();
            }
            return Boolean.TRUE.equals(tree.of(row, context));
        }
    }

    private interface Node extends Serializable {
        Object of(Row row, IterativeCondition.Context<Row> context) throws Exception;
    }

    /** Reads `a = 'x' AND COALESCE(SUM(b.price), 0) + price < 5.0` and the like; three-valued. */
    private static final class Reader {
        private final List<String> words = new ArrayList<>();
        private final List<String> columns;
        private int at;

        Reader(String text, List<String> columns) {
            this.columns = columns;
            java.util.regex.Matcher m = java.util.regex.Pattern.compile("'(?:[^']|'')*'|<=|>=|<>|[A-Za-z_]\\w*(?:\\.(?:\\w+|\\*))?|\\d+(?:\\.\\d+)?|[-+*=<>(),]").matcher(text);
            while (m.find()) {
                words.add(m.group());
            }
            if (!String.join("", words).replace(" ", "").equals(text.replace(" ", ""))) {
                throw new IllegalStateException("condition not understood: " + text);
            }
        }

        Node whole() {
            Node node = or();
            if (at < words.size()) {
                throw new IllegalStateException("condition not understood: " + words);
            }
            return node;
        }

        private boolean is(String word) {
            if (at < words.size() && words.get(at).equalsIgnoreCase(word)) {
                at++;
                return true;
            }
            return false;
        }

        private void must(String word) {
            if (!is(word)) {
                throw new IllegalStateException(word + " expected in " + words);
            }
        }

        private Node or() {
            Node left = and();
            while (is("OR")) {
                Node a = left, b = and();
                left = (r, c) -> {
                    Object x = a.of(r, c), y = b.of(r, c);
                    return Boolean.TRUE.equals(x) || Boolean.TRUE.equals(y) ? Boolean.TRUE : x == null || y == null ? null : Boolean.FALSE;
                };
            }
            return left;
        }

        private Node and() {
            Node left = not();
            while (is("AND")) {
                Node a = left, b = not();
                left = (r, c) -> {
                    Object x = a.of(r, c), y = b.of(r, c);
                    return Boolean.FALSE.equals(x) || Boolean.FALSE.equals(y) ? Boolean.FALSE : x == null || y == null ? null : Boolean.TRUE;
                };
            }
            return left;
        }

        private Node not() {
            if (is("NOT")) {
                Node a = not();
                return (r, c) -> {
                    Object x = a.of(r, c);
                    return x == null ? null : !(Boolean) x;
                };
            }
            return comparison();
        }

        @SuppressWarnings("unchecked")
        private Node comparison() {
            Node a = sum();
            if (is("IS")) {
                boolean not = is("NOT");
                must("NULL");
                return (r, c) -> (a.of(r, c) == null) != not;
            }
            if (is("LIKE")) {
                String like = words.get(at++);
                java.util.regex.Pattern p = java.util.regex.Pattern.compile(like.substring(1, like.length() - 1).replace("%", ".*").replace("_", "."));
                return (r, c) -> {
                    Object x = a.of(r, c);
                    return x == null ? null : p.matcher((String) x).matches();
                };
            }
            for (String op : List.of("<=", ">=", "<>", "=", "<", ">")) {
                if (is(op)) {
                    Node b = sum();
                    return (r, c) -> {
                        Object x = a.of(r, c), y = b.of(r, c);
                        if (x == null || y == null) {
                            return null;
                        }
                        int d = x instanceof Number ? Double.compare(((Number) x).doubleValue(), ((Number) y).doubleValue()) : ((Comparable<Object>) x).compareTo(y);
                        return switch (op) {
                            case "<=" -> d <= 0;
                            case ">=" -> d >= 0;
                            case "<>" -> d != 0;
                            case "=" -> d == 0;
                            case "<" -> d < 0;
                            default -> d > 0;
                        };
                    };
                }
            }
            return a;
        }

        private Node sum() {
            Node left = primary();
            while (at < words.size() && (words.get(at).equals("+") || words.get(at).equals("-"))) {
                int sign = words.get(at++).equals("+") ? 1 : -1;
                Node a = left, b = primary();
                left = (r, c) -> {
                    Object x = a.of(r, c), y = b.of(r, c);
                    return x == null || y == null ? null : (Object) (((Number) x).doubleValue() + sign * ((Number) y).doubleValue());
                };
            }
            return left;
        }

        private Node primary() {
            String word = words.get(at++);
            if (word.equals("(")) {
                Node a = or();
                must(")");
                return a;
            }
            if (word.startsWith("'")) {
                String text = word.substring(1, word.length() - 1).replace("''", "'");
                return (r, c) -> text;
            }
            if (Character.isDigit(word.charAt(0))) {
                double number = Double.parseDouble(word);
                return (r, c) -> number;
            }
            if (word.equalsIgnoreCase("TRUE") || word.equalsIgnoreCase("FALSE")) {
                boolean truth = word.equalsIgnoreCase("TRUE");
                return (r, c) -> truth;
            }
            if (is("(")) {
                return call(word.toUpperCase());
            }
            int column = columns.indexOf(word);
            if (column < 0) {
                throw new IllegalStateException("column " + word);
            }
            return (r, c) -> r.getField(column);
        }

        private Node call(String function) {
            if (function.equals("COALESCE")) {
                Node a = or();
                must(",");
                Node b = or();
                must(")");
                return (r, c) -> {
                    Object x = a.of(r, c);
                    return x == null ? b.of(r, c) : x;
                };
            }
            String argument = words.get(at++);
            must(")");
            String stage = argument.substring(0, argument.indexOf('.'));
            String name = argument.substring(argument.indexOf('.') + 1);
            int column = name.equals("*") ? -1 : columns.indexOf(name);
            return (r, c) -> {
                List<Object> values = new ArrayList<>();
                for (Row taken : c.getEventsForPattern(stage)) {
                    values.add(column < 0 ? Boolean.TRUE : taken.getField(column));
                }
                if (function.equals("FIRST")) {
                    return values.isEmpty() ? null : values.get(0);
                }
                if (function.equals("LAST")) {
                    return values.isEmpty() ? null : values.get(values.size() - 1);
                }
                values.removeAll(Collections.singleton(null));
                double sum = 0;
                double least = Double.POSITIVE_INFINITY, greatest = Double.NEGATIVE_INFINITY;
                for (Object v : values) {
                    if (v instanceof Number) {
                        sum += ((Number) v).doubleValue();
                        least = Math.min(least, ((Number) v).doubleValue());
                        greatest = Math.max(greatest, ((Number) v).doubleValue());
                    }
                }
                return switch (function) {
                    case "COUNT" -> (double) values.size();
                    case "SUM" -> values.isEmpty() ? null : sum;
                    case "AVG" -> values.isEmpty() ? null : sum / values.size();
                    case "MIN" -> values.isEmpty() ? null : least;
                    case "MAX" -> values.isEmpty() ? null : greatest;
                    default -> throw new IllegalStateException(function);
                };
            };
        }
    }
}
