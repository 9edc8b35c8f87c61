import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * The five rules as a Flink job: state by customer on the heap, checkpoints exactly once every ten seconds,
 * alerts counted. Like the one-thread loop it knows one currency and one zone, takes events as they come, and
 * keeps nothing for corrections or views.
 *
 * <p>Arguments: events, list entries (both one JSON object a line), slots, a directory for checkpoints. Prints
 * one JSON object.
 */
public class FraudJob {
    static final long SECOND = 1_000_000;
    static final long MINUTE = 60 * SECOND;
    static final long HOUR = 60 * MINUTE;
    static final long DAY = 24 * HOUR;
    /** Local time in Brazil. */
    static final long OFFSET = -3 * HOUR;
    static final String EVENTS = "events";
    static final String ALERTS = "alerts";

    /** An event; the names are those of its JSON. Public and with public fields, so that Flink has a serializer. */
    public static class Payment {
        public String transaction_id;
        public String customer_id;
        public String store_id;
        public String product_id;
        public String amount;
        public String currency;
        public String payment_method;
        public Double latitude;
        public Double longitude;
        public String timestamp;
    }

    /** A customer so far. */
    public static class Customer {
        public long count;
        public long cents;
        public long minutes;
        public long squaredMinutes;
        /** Times of payments in the last ten minutes, microseconds since 1970. */
        public long[] window = new long[0];
        public boolean hasPlace;
        public long placeAt;
        public double latitude;
        public double longitude;
    }

    /** Reads an event. */
    public static class Parse extends RichFlatMapFunction<String, Payment> {
        private transient ObjectReader reader;

        @Override
        public void open(OpenContext context) {
            reader = new ObjectMapper()
                    .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false)
                    .readerFor(Payment.class);
        }

        @Override
        public void flatMap(String line, Collector<Payment> out) throws IOException {
            out.collect(reader.readValue(line));
        }
    }

    /** Applies the rules, and passes on the ids of alerted transactions. */
    public static class Detect extends KeyedProcessFunction<String, Payment, String> {
        private final String blacklist;
        private transient Map<String, long[]> listed;
        private transient ValueState<Customer> state;
        private final LongCounter events = new LongCounter();
        private final LongCounter alerts = new LongCounter();

        Detect(String blacklist) {
            this.blacklist = blacklist;
        }

        @Override
        public void open(OpenContext context) throws IOException {
            listed = readBlacklist(blacklist);
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("customer", Customer.class));
            getRuntimeContext().addAccumulator(EVENTS, events);
            getRuntimeContext().addAccumulator(ALERTS, alerts);
        }

        @Override
        public void processElement(Payment payment, Context context, Collector<String> out) throws IOException {
            Customer customer = state.value();
            if (customer == null) {
                customer = new Customer();
            }
            events.add(1);
            if (isAlert(customer, payment)) {
                alerts.add(1);
                out.collect(payment.transaction_id);
            }
            state.update(customer);
        }

        /** The verdict in the context of the customer's earlier payments, which then include this one. */
        private boolean isAlert(Customer customer, Payment payment) {
            long at = micros(payment.timestamp);
            long cents = Math.round(Double.parseDouble(payment.amount) * 100);
            long minute = Math.floorMod(at + OFFSET, DAY) / MINUTE;
            Score score = new Score();
            if (customer.count >= 5 && cents * customer.count > 3 * customer.cents) {
                score.add((double) (cents * customer.count) / (3 * customer.cents) - 0.5, 0.30);
            }
            int inWindow = enter(customer, at);
            if (inWindow > 5) {
                score.add((inWindow - 5) / 5.0, 0.25);
            }
            if (payment.latitude != null && payment.longitude != null) {
                if (customer.hasPlace && at - customer.placeAt <= HOUR) {
                    double km = kilometres(customer, payment.latitude, payment.longitude);
                    if (km > 500) {
                        score.add(km / 1000, 0.20);
                    }
                }
                customer.hasPlace = true;
                customer.placeAt = at;
                customer.latitude = payment.latitude;
                customer.longitude = payment.longitude;
            }
            double deviations = deviations(customer, minute);
            if (deviations > 2) {
                score.add((deviations - 2) / 2, 0.15);
            }
            if (isListed(payment.customer_id, at) || isListed(payment.store_id, at)) {
                score.add(1, 0.10);
            }
            customer.count += 1;
            customer.cents += cents;
            customer.minutes += minute;
            customer.squaredMinutes += minute * minute;
            return score.isAlert();
        }

        private boolean isListed(String id, long at) {
            long[] entry = listed.get(id);
            return entry != null && entry[0] <= at && at < entry[1];
        }
    }

    /** A sum of weighted scores. */
    static class Score {
        private double sum;
        private double weights;

        void add(double score, double weight) {
            sum += Math.min(score, 1) * weight;
            weights += weight;
        }

        /** Scores on the threshold may be below it by a rounding error. */
        boolean isAlert() {
            return weights > 0 && sum / weights >= 0.7 - 1e-12;
        }
    }

    /** Adds a payment to the window, and returns how many are in it. */
    static int enter(Customer customer, long at) {
        int first = 0;
        while (first < customer.window.length && customer.window[first] <= at - 10 * MINUTE) {
            first++;
        }
        int length = customer.window.length - first;
        long[] window = Arrays.copyOfRange(customer.window, first, first + length + 1);
        window[length] = at;
        customer.window = window;
        return window.length;
    }

    /** How many standard deviations the minute is from the mean; 0 without enough earlier payments. */
    static double deviations(Customer customer, long minute) {
        long count = customer.count;
        long spread = count * customer.squaredMinutes - customer.minutes * customer.minutes;
        if (count < 5 || spread == 0) {
            return 0;
        }
        double distance = Math.abs(count * minute - customer.minutes);
        return distance * Math.sqrt((count - 1) / ((double) count * spread));
    }

    static double kilometres(Customer from, double latitude, double longitude) {
        double halfLatitude = Math.toRadians(latitude - from.latitude) / 2;
        double halfLongitude = Math.toRadians(longitude - from.longitude) / 2;
        double h = Math.pow(Math.sin(halfLatitude), 2)
                + Math.cos(Math.toRadians(from.latitude)) * Math.cos(Math.toRadians(latitude))
                        * Math.pow(Math.sin(halfLongitude), 2);
        return 2 * 6371.0 * Math.asin(Math.min(1, Math.sqrt(h)));
    }

    /**
     * Microseconds since 1970 of a time as the generator writes it, 2026-02-01T00:00:00.000-03:00: by position, which
     * is several times faster than the library's parser.
     */
    static long micros(String text) {
        if (text.length() != 29) {
            return OffsetDateTime.parse(text).toInstant().toEpochMilli() * 1000;
        }
        long day = LocalDate.of(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10)).toEpochDay();
        long offset = number(text, 24, 26) * HOUR + number(text, 27, 29) * MINUTE;
        long local = day * DAY + number(text, 11, 13) * HOUR + number(text, 14, 16) * MINUTE
                + number(text, 17, 19) * SECOND + number(text, 20, 23) * 1000L;
        return text.charAt(23) == '-' ? local + offset : local - offset;
    }

    static int number(String text, int from, int to) {
        int value = 0;
        for (int at = from; at < to; at++) {
            value = value * 10 + text.charAt(at) - '0';
        }
        return value;
    }

    /** From when and until when each id is listed. */
    static Map<String, long[]> readBlacklist(String path) throws IOException {
        Map<String, long[]> listed = new HashMap<>();
        ObjectMapper mapper = new ObjectMapper();
        List<String> lines = Files.readAllLines(Path.of(path));
        for (String line : lines) {
            JsonNode entry = mapper.readTree(line);
            long from = entry.has("valid_from") ? micros(entry.get("valid_from").asText()) : Long.MIN_VALUE;
            long until = entry.has("expires_at") ? micros(entry.get("expires_at").asText()) : Long.MAX_VALUE;
            listed.put(entry.get("id").asText(), new long[] {from, until});
        }
        return listed;
    }

    static long processorNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    public static void main(String[] arguments) throws Exception {
        String events = arguments[0];
        String blacklist = arguments[1];
        int slots = Integer.parseInt(arguments[2]);
        Configuration configuration = new Configuration();
        configuration.setString("state.backend.type", "hashmap");
        configuration.setString("execution.checkpointing.dir", Path.of(arguments[3]).toUri().toString());
        configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        configuration.setString("execution.checkpointing.interval", "10 s");
        configuration.setString("pipeline.object-reuse", "true");
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(slots, configuration);
        var path = new org.apache.flink.core.fs.Path(Path.of(events).toUri());
        var source = FileSource.forRecordStreamFormat(new TextLineInputFormat(), path).build();
        environment
                .fromSource(source, WatermarkStrategy.noWatermarks(), EVENTS)
                .flatMap(new Parse())
                .keyBy(payment -> payment.customer_id)
                .process(new Detect(blacklist))
                .sinkTo(new DiscardingSink<>());
        long before = processorNanos();
        JobExecutionResult result = environment.execute("fraud");
        double processorSeconds = (processorNanos() - before) / 1e9;
        long count = result.getAccumulatorResult(EVENTS);
        long alerts = result.getAccumulatorResult(ALERTS);
        System.out.printf(
                "{\"events\": %d, \"alerts\": %d, \"seconds\": %.3f, \"processor_seconds\": %.3f}%n",
                count, alerts, result.getNetRuntime() / 1000.0, processorSeconds);
    }
}
