import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.airlift.slice.Slices;
import io.airlift.units.DataSize;
import io.trino.Session;
import io.trino.operator.Driver;
import io.trino.operator.TaskContext;
import io.trino.spi.Page;
import io.trino.spi.PageBuilder;
import io.trino.spi.connector.ColumnHandle;
import io.trino.spi.connector.ColumnMetadata;
import io.trino.spi.connector.Connector;
import io.trino.spi.connector.ConnectorContext;
import io.trino.spi.connector.ConnectorFactory;
import io.trino.spi.connector.ConnectorMetadata;
import io.trino.spi.connector.ConnectorPageSource;
import io.trino.spi.connector.ConnectorPageSourceProvider;
import io.trino.spi.connector.ConnectorSession;
import io.trino.spi.connector.ConnectorSplit;
import io.trino.spi.connector.ConnectorSplitManager;
import io.trino.spi.connector.ConnectorSplitSource;
import io.trino.spi.connector.ConnectorTableHandle;
import io.trino.spi.connector.ConnectorTableMetadata;
import io.trino.spi.connector.ConnectorTransactionHandle;
import io.trino.spi.connector.Constraint;
import io.trino.spi.connector.DynamicFilter;
import io.trino.spi.connector.FixedPageSource;
import io.trino.spi.connector.FixedSplitSource;
import io.trino.spi.connector.SchemaTableName;
import io.trino.spi.transaction.IsolationLevel;
import io.trino.spi.type.BigintType;
import io.trino.spi.type.DoubleType;
import io.trino.spi.type.IntegerType;
import io.trino.spi.type.TimestampType;
import io.trino.spi.type.Type;
import io.trino.spi.type.VarcharType;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import io.trino.testing.PageConsumerOperator.PageConsumerOutputFactory;
import io.trino.testing.TestingSession;
import io.trino.testing.TestingTaskContext;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Trino's in-process runner over the shapes of the row pattern benchmark: Shapes LIST FOLDER ROUNDS SECONDS. LIST has a line of JSON per shape (name, schema,
 * rule); the rows come from FOLDER/name.csv and stand in memory as Trino's own pages before the clock starts. Prints a line of JSON per shape and round.
 * A shape that has taken longer than SECONDS in its first round is not run again. The runner's own execute() allows a query 256 MB, too little for ten million rows:
 * the drivers are made and run here, as it does, with MEMORY.
 */
public final class Shapes {
    private record Handle(String name) implements ConnectorTableHandle {}

    private record Column(int index, String name, Type type) implements ColumnHandle {}

    private enum Transaction implements ConnectorTransactionHandle { ONLY }

    private static final class Split implements ConnectorSplit {
        @Override
        public boolean isRemotelyAccessible() { return true; }

        @Override
        public List<io.trino.spi.HostAddress> getAddresses() { return List.of(); }

        @Override
        public Object getInfo() { return "all"; }
    }

    /** One table in memory. */
    private static final class Table {
        final String name;
        final List<Column> columns = new ArrayList<>();
        final List<Page> pages = new ArrayList<>();
        long rows;

        Table(JsonNode shape, Path folder) throws Exception {
            name = shape.get("name").asText();
            for (JsonNode column : shape.get("schema")) {
                columns.add(new Column(columns.size(), column.get(0).asText().toLowerCase(), typeOf(column.get(1).asText())));
            }
            List<Type> types = columns.stream().map(Column::type).toList();
            PageBuilder builder = new PageBuilder(types);
            try (BufferedReader in = Files.newBufferedReader(folder.resolve(name + ".csv"))) {
                in.readLine();
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    String[] fields = line.split(",", -1);
                    builder.declarePosition();
                    for (int i = 0; i < fields.length; i++) {
                        write(types.get(i), builder, i, fields[i]);
                    }
                    rows++;
                    if (builder.isFull()) {
                        pages.add(builder.build());
                        builder.reset();
                    }
                }
            }
            pages.add(builder.build());
        }

        private static Type typeOf(String name) {
            return switch (name) {
                case "INTEGER" -> IntegerType.INTEGER;
                case "BIGINT" -> BigintType.BIGINT;
                case "DOUBLE" -> DoubleType.DOUBLE;
                case "TIMESTAMP" -> TimestampType.TIMESTAMP_MILLIS;
                default -> VarcharType.VARCHAR;
            };
        }

        private static void write(Type type, PageBuilder builder, int column, String text) {
            var block = builder.getBlockBuilder(column);
            if (type == VarcharType.VARCHAR) {
                type.writeSlice(block, Slices.utf8Slice(text));
            } else if (type == DoubleType.DOUBLE) {
                type.writeDouble(block, Double.parseDouble(text));
            } else if (type == TimestampType.TIMESTAMP_MILLIS) {
                LocalDateTime at = LocalDateTime.parse(text.replace(' ', 'T'), DateTimeFormatter.ISO_LOCAL_DATE_TIME);
                type.writeLong(block, at.toEpochSecond(ZoneOffset.UTC) * 1_000_000 + at.getNano() / 1000);
            } else {
                type.writeLong(block, Long.parseLong(text));
            }
        }
    }

    /** A catalogue with the one table that is being asked. */
    private static final class Memory implements Connector, ConnectorMetadata, ConnectorSplitManager, ConnectorPageSourceProvider {
        private Table table;

        @Override
        public ConnectorTransactionHandle beginTransaction(IsolationLevel level, boolean readOnly, boolean autoCommit) { return Transaction.ONLY; }

        @Override
        public ConnectorMetadata getMetadata(ConnectorSession session, ConnectorTransactionHandle transaction) { return this; }

        @Override
        public ConnectorSplitManager getSplitManager() { return this; }

        @Override
        public ConnectorPageSourceProvider getPageSourceProvider() { return this; }

        @Override
        public List<String> listSchemaNames(ConnectorSession session) { return List.of("main"); }

        @Override
        public ConnectorTableHandle getTableHandle(ConnectorSession session, SchemaTableName name) {
            return name.getTableName().equals(table.name) ? new Handle(table.name) : null;
        }

        @Override
        public ConnectorTableMetadata getTableMetadata(ConnectorSession session, ConnectorTableHandle handle) {
            return new ConnectorTableMetadata(new SchemaTableName("main", table.name),
                    table.columns.stream().map(column -> new ColumnMetadata(column.name(), column.type())).toList());
        }

        @Override
        public Map<String, ColumnHandle> getColumnHandles(ConnectorSession session, ConnectorTableHandle handle) {
            Map<String, ColumnHandle> handles = new LinkedHashMap<>();
            table.columns.forEach(column -> handles.put(column.name(), column));
            return handles;
        }

        @Override
        public ColumnMetadata getColumnMetadata(ConnectorSession session, ConnectorTableHandle handle, ColumnHandle column) {
            return new ColumnMetadata(((Column) column).name(), ((Column) column).type());
        }

        @Override
        public ConnectorSplitSource getSplits(ConnectorTransactionHandle transaction, ConnectorSession session, ConnectorTableHandle handle,
                DynamicFilter filter, Constraint constraint) {
            return new FixedSplitSource(new Split());
        }

        @Override
        public ConnectorPageSource createPageSource(ConnectorTransactionHandle transaction, ConnectorSession session, ConnectorSplit split,
                ConnectorTableHandle handle, List<ColumnHandle> columns, DynamicFilter filter) {
            int[] picked = columns.stream().mapToInt(column -> ((Column) column).index()).toArray();
            return new FixedPageSource(table.pages.stream().map(page -> page.getColumns(picked)).toList());
        }
    }

    private static final DataSize MEMORY = DataSize.of(4, DataSize.Unit.GIGABYTE);

    private Shapes() {}

    private static List<MaterializedRow> ask(LocalQueryRunner runner, Session session, String sql) {
        AtomicReference<MaterializedResult.Builder> result = new AtomicReference<>();
        PageConsumerOutputFactory output = new PageConsumerOutputFactory(types -> {
            result.compareAndSet(null, MaterializedResult.resultBuilder(session, types));
            return result.get()::page;
        });
        TaskContext task = TestingTaskContext.builder(runner.getExecutor(), runner.getScheduler(), session)
                .setQueryMaxMemory(MEMORY).setMemoryPoolSize(MEMORY).build();
        List<Driver> drivers = runner.createDrivers(session, sql, output, task);
        try {
            for (boolean going = true; going;) {
                going = false;
                for (Driver driver : drivers) {
                    if (!driver.isFinished()) {
                        driver.processUntilBlocked();
                        going = true;
                    }
                }
            }
        } finally {
            drivers.forEach(Driver::close);
        }
        return result.get().build().getMaterializedRows();
    }

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        Memory memory = new Memory();
        Session session = TestingSession.testSessionBuilder().setCatalog("memory").setSchema("main").build();
        try (LocalQueryRunner runner = LocalQueryRunner.create(session); BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            runner.createCatalog("memory", new ConnectorFactory() {
                @Override
                public String getName() { return "memory"; }

                @Override
                public Connector create(String name, Map<String, String> config, ConnectorContext context) { return memory; }
            }, Map.of());
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                JsonNode shape = json.readTree(line);
                memory.table = new Table(shape, Path.of(args[1]));
                for (int round = 0; round < Integer.parseInt(args[2]); round++) {
                    var answer = json.createObjectNode().put("name", memory.table.name).put("rows", memory.table.rows);
                    long begin = System.nanoTime();
                    try {
                        var rows = answer.putArray("answer");
                        for (MaterializedRow row : ask(runner, session, shape.get("rule").asText())) {
                            rows.add(json.valueToTree(row.getFields()));
                        }
                    } catch (RuntimeException | StackOverflowError e) {
                        answer.put("error", e instanceof StackOverflowError ? "stack overflow" : String.valueOf(e.getMessage()));
                    }
                    double seconds = (System.nanoTime() - begin) / 1e9;
                    System.out.println(json.writeValueAsString(answer.put("seconds", seconds)));
                    System.out.flush();
                    if (answer.has("error") || seconds > Double.parseDouble(args[3])) {
                        break;
                    }
                }
            }
        }
        System.exit(0);
    }
}
