#define _GNU_SOURCE 1 /* clock_gettime */
#include "report.h"

#include <inttypes.h>
#include <string.h>

/* Figures computed from counts; 0 if that is not possible. */

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static double span_s(int64_t from_ns, int64_t to_ns)
{
	return from_ns > 0 && to_ns > from_ns ? load_seconds(to_ns - from_ns)
	                                      : 0;
}

static double posting_s(const struct run *run)
{
	return span_s(run->senders.first_sent_ns, run->senders.last_answer_ns);
}

static double delivering_s(const struct run *run)
{
	return span_s(run->senders.first_sent_ns, run->check.last_delivery_ns);
}

static double joining_s(const struct run *run)
{
	return span_s(run->began_ns[PHASE_JOINING],
	              run->began_ns[PHASE_HOLDING]);
}

static double to_us(int64_t ns)
{
	return (double)ns / 1000;
}

/* While messages went, or if there are none, while waiters were held. */
static int64_t cpu_ns(const struct run *run, const struct process_usage *usage)
{
	return usage->end.cpu_ns - (run->options->messages > 0
	                                    ? usage->parked.cpu_ns
	                                    : usage->joined.cpu_ns);
}

static double bytes_per_waiter(const struct run *run,
                               const struct process_usage *usage)
{
	return ratio((double)(usage->parked.memory_kib -
	                      usage->alone.memory_kib) * 1024,
	             (double)run->options->waiters);
}

static const char *process_name(const struct run *run, int i)
{
	return i < run->options->process_count ? run->options->processes[i].name
	                                       : "longroom-load";
}

/* The table. */

static void print_latency(const struct latency *latency, FILE *to)
{
	fprintf(to,
	        "    latency     p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms\n",
	        to_us(latency_quantile(latency, 0.5)) / 1000,
	        to_us(latency_quantile(latency, 0.99)) / 1000,
	        to_us(latency_quantile(latency, 0.999)) / 1000,
	        to_us(latency->max_ns) / 1000);
}

static void print_posts(const struct run *run, FILE *to)
{
	const struct senders *senders = &run->senders;

	fprintf(to, "  posts         %" PRIu64 " in %.2f s, %.0f/s:",
	        senders->latency.count, posting_s(run),
	        ratio((double)senders->latency.count, posting_s(run)));
	for (int i = 0; i < 600; i++)
		if (senders->statuses[i] > 0)
			fprintf(to, "  %" PRIu64 " x %d", senders->statuses[i],
			        i);
	fprintf(to,
	        "\n    %" PRIu64 " requests sent, %" PRIu64 " repeated, %" PRIu64
	        " unanswered, %" PRIu64 " of the 2xx not accepted\n",
	        senders->sent, senders->repeated, senders->unanswered,
	        senders->wrong);
	if (run->schedule.rate > 0)
		fprintf(to, "    sent up to %.3f ms after their time\n",
		        to_us(run->schedule.late_max_ns) / 1000);
	print_latency(&senders->latency, to);
}

static void print_deliveries(const struct run *run, FILE *to)
{
	const struct check *check = &run->check;

	fprintf(to,
	        "  deliveries    %" PRIu64 " in %.2f s, %.0f/s, %.2f messages an "
	        "answer\n",
	        check->deliveries, delivering_s(run),
	        ratio((double)check->deliveries, delivering_s(run)),
	        ratio((double)check->deliveries, (double)check->full_answers));
	fprintf(to,
	        "    %" PRIu64 " unsaved, %" PRIu64 " foreign, %" PRIu64
	        " from history\n",
	        check->unsaved, check->foreign, check->from_history);
	print_latency(&check->latency, to);
}

static void print_polls(const struct followers *followers, FILE *to)
{
	fprintf(to,
	        "  polls         %" PRIu64 ", %" PRIu64 " answers, %" PRIu64
	        " empty (%" PRIu64 " of them early), %" PRIu64 " x 5xx\n",
	        followers->polls, followers->answers, followers->empty,
	        followers->early, followers->server_errors);
}

static void print_streams(const struct followers *followers, FILE *to)
{
	fprintf(to,
	        "  streams       %" PRIu64 ", %" PRIu64 " ends announced, %" PRIu64
	        " came back, the last after %.3f ms, %" PRIu64 " x 5xx\n"
	        "    events without messages: %" PRIu64 " cursor, %" PRIu64
	        " unknown, %" PRIu64 " comments\n",
	        followers->streams, followers->ends, followers->returns.count,
	        to_us(followers->returns.max_ns) / 1000,
	        followers->server_errors, followers->cursors,
	        followers->skipped, followers->comments);
}

static void print_checks(const struct run *run, const struct verdict *verdict,
                         FILE *to)
{
	const struct check *check = &run->check;

	fprintf(to,
	        "  checks        %" PRIu64 " deliveries required: %" PRIu64
	        " lost, %" PRIu64 " doubled, %" PRIu64 " out of order, %" PRIu64
	        " damaged\n",
	        verdict->required, verdict->lost, check->doubled,
	        check->out_of_order, check->damaged);
	fprintf(to,
	        "    waiters: %" PRIu64 " stuck, %" PRIu64 " refused, %" PRIu64
	        " gaps, %" PRIu64 " resets;  posts: %" PRIu64 " refused, %" PRIu64
	        " unsent\n",
	        run->followers.stuck, run->followers.refused, check->gaps,
	        check->resets, verdict->refused, verdict->unsent);
}

static void print_connections(const struct run *run, FILE *to)
{
	const uint64_t *failures = run->network.failures;

	fprintf(to,
	        "  connections   %" PRIu64 " opened; %" PRIu64
	        " not made, %" PRIu64 " broken, %" PRIu64 " silent, %" PRIu64
	        " not HTTP",
	        run->network.opened, failures[FAILED_CONNECT],
	        failures[FAILED_BROKEN], failures[FAILED_SILENT],
	        failures[FAILED_NOT_HTTP]);
	if (run->network.last_errno != 0)
		fprintf(to, " (last: %s)", strerror(run->network.last_errno));
	fputs("\n", to);
}

static void print_process(const struct run *run, int i, FILE *to)
{
	const struct process_usage *usage = &run->usage[i];
	double us = to_us(cpu_ns(run, usage));

	fprintf(to, "  %-13s ", process_name(run, i));
	if (usage->gone) {
		fputs("gone\n", to);
		return;
	}
	fprintf(to, "%.2f s of CPU", us / 1e6);
	if (run->check.deliveries > 0)
		fprintf(to, ", %.2f us a delivery",
		        us / (double)run->check.deliveries);
	if (run->senders.accepted > 0)
		fprintf(to, ", %.1f us a post",
		        us / (double)run->senders.accepted);
	if (run->options->waiters > 0)
		fprintf(to, ", %.0f bytes a waiter", bytes_per_waiter(run, usage));
	fputs("\n", to);
}

void report_table(const struct run *run, const struct verdict *verdict, FILE *to)
{
	const struct options *options = run->options;

	fprintf(to,
	        "%s: %" PRId64 " rooms from %s, %" PRId64 " waiters (%u joined in "
	        "%.2f s), %" PRId64 " senders, %" PRId64 " messages\n",
	        options->url, options->rooms, options->room_names[0],
	        options->waiters,
	        run->followers.waiters_joined, joining_s(run), options->senders,
	        options->messages);
	if (options->messages > 0)
		print_posts(run, to);
	if (options->messages > 0 && options->waiters > 0)
		print_deliveries(run, to);
	if (options->waiters > 0 && options->streams)
		print_streams(&run->followers, to);
	else if (options->waiters > 0)
		print_polls(&run->followers, to);
	print_checks(run, verdict, to);
	print_connections(run, to);
	for (int i = 0; i <= options->process_count; i++)
		print_process(run, i, to);
	if (run->cut_short != NULL)
		fprintf(to, "  cut short by %s\n", run->cut_short);
	fputs(verdict->passed ? "  passed\n" : "  FAILED\n", to);
}

/* The object. Each function writes members, each with the comma before it
 * except the first of an object. */

static void write_latency(const struct latency *latency, FILE *to)
{
	fprintf(to,
	        ",\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f,"
	        "\"max\":%.1f}",
	        to_us(latency_quantile(latency, 0.5)),
	        to_us(latency_quantile(latency, 0.99)),
	        to_us(latency_quantile(latency, 0.999)),
	        to_us(latency->max_ns));
}

static void write_run(const struct run *run, const struct verdict *verdict,
                      FILE *to)
{
	const struct options *options = run->options;

	fprintf(to,
	        "\"passed\":%s,\"cut_short\":%s,\"rooms\":%" PRId64
	        ",\"first_room\":\"%s\",\"waiters\":%" PRId64
	        ",\"joined\":%u,\"joining_seconds\":%.3f,\"senders\":%" PRId64
	        ",\"messages\":%" PRId64,
	        verdict->passed ? "true" : "false",
	        run->cut_short != NULL ? "true" : "false", options->rooms,
	        options->room_names[0], options->waiters,
	        run->followers.waiters_joined,
	        joining_s(run), options->senders, options->messages);
}

static void write_posts(const struct run *run, const struct verdict *verdict,
                        FILE *to)
{
	const struct senders *senders = &run->senders;
	const char *comma = "";

	fprintf(to,
	        ",\"posts\":{\"sent\":%" PRIu64 ",\"accepted\":%" PRIu64
	        ",\"refused\":%" PRIu64 ",\"unsent\":%" PRIu64
	        ",\"repeated\":%" PRIu64 ",\"unanswered\":%" PRIu64
	        ",\"wrong\":%" PRIu64 ",\"status\":{",
	        senders->sent, senders->accepted, verdict->refused,
	        verdict->unsent, senders->repeated, senders->unanswered,
	        senders->wrong);
	for (int i = 0; i < 600; i++) {
		if (senders->statuses[i] == 0)
			continue;
		fprintf(to, "%s\"%d\":%" PRIu64, comma, i, senders->statuses[i]);
		comma = ",";
	}
	fprintf(to, "},\"seconds\":%.3f,\"per_second\":%.1f,\"late_max_us\":%.1f",
	        posting_s(run),
	        ratio((double)senders->latency.count, posting_s(run)),
	        to_us(run->schedule.late_max_ns));
	write_latency(&senders->latency, to);
	fputs("}", to);
}

static void write_deliveries(const struct run *run, FILE *to)
{
	const struct check *check = &run->check;

	fprintf(to,
	        ",\"deliveries\":{\"count\":%" PRIu64 ",\"unsaved\":%" PRIu64
	        ",\"foreign\":%" PRIu64 ",\"from_history\":%" PRIu64
	        ",\"seconds\":%.3f,\"per_second\":%.1f"
	        ",\"messages_per_answer\":%.3f",
	        check->deliveries, check->unsaved, check->foreign,
	        check->from_history, delivering_s(run),
	        ratio((double)check->deliveries, delivering_s(run)),
	        ratio((double)check->deliveries, (double)check->full_answers));
	write_latency(&check->latency, to);
	fputs("}", to);
}

static void write_checks(const struct run *run, const struct verdict *verdict,
                         FILE *to)
{
	const struct check *check = &run->check;
	const struct followers *followers = &run->followers;

	fprintf(to,
	        ",\"checks\":{\"required\":%" PRIu64 ",\"lost\":%" PRIu64
	        ",\"doubled\":%" PRIu64 ",\"out_of_order\":%" PRIu64
	        ",\"damaged\":%" PRIu64 ",\"gaps\":%" PRIu64
	        ",\"resets\":%" PRIu64 "}",
	        verdict->required, verdict->lost, check->doubled,
	        check->out_of_order, check->damaged, check->gaps, check->resets);
	fprintf(to,
	        ",\"polls\":{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
	        ",\"empty\":%" PRIu64 ",\"early\":%" PRIu64 ",\"stuck\":%" PRIu64
	        ",\"refused\":%" PRIu64 ",\"server_errors\":%" PRIu64 "}",
	        followers->polls, followers->answers, followers->empty,
	        followers->early, followers->stuck, followers->refused,
	        followers->server_errors);
}

static void write_streams(const struct followers *followers, FILE *to)
{
	fprintf(to,
	        ",\"streams\":{\"asked\":%" PRIu64 ",\"ends\":%" PRIu64
	        ",\"cursors\":%" PRIu64 ",\"unknown\":%" PRIu64
	        ",\"comments\":%" PRIu64 ",\"returned\":%" PRIu64,
	        followers->streams, followers->ends, followers->cursors,
	        followers->skipped, followers->comments,
	        followers->returns.count);
	write_latency(&followers->returns, to);
	fputs("}", to);
}

static void write_connections(const struct run *run, FILE *to)
{
	const uint64_t *failures = run->network.failures;

	fprintf(to,
	        ",\"connections\":{\"opened\":%" PRIu64 ",\"not_made\":%" PRIu64
	        ",\"broken\":%" PRIu64 ",\"silent\":%" PRIu64
	        ",\"not_http\":%" PRIu64 "}",
	        run->network.opened, failures[FAILED_CONNECT],
	        failures[FAILED_BROKEN], failures[FAILED_SILENT],
	        failures[FAILED_NOT_HTTP]);
}

static void write_process(const struct run *run, int i, FILE *to)
{
	const struct process_usage *usage = &run->usage[i];
	double us = to_us(cpu_ns(run, usage));

	fprintf(to, "%s\"%s\":", i > 0 ? "," : "", process_name(run, i));
	if (usage->gone) {
		fputs("null", to);
		return;
	}
	fprintf(to,
	        "{\"cpu_seconds\":%.3f,\"us_per_delivery\":%.3f,"
	        "\"us_per_post\":%.3f,\"bytes_per_waiter\":%.0f,"
	        "\"memory_kib\":%" PRId64 "}",
	        us / 1e6, ratio(us, (double)run->check.deliveries),
	        ratio(us, (double)run->senders.accepted),
	        bytes_per_waiter(run, usage), usage->end.memory_kib);
}

void report_json(const struct run *run, const struct verdict *verdict, FILE *to)
{
	fputs("{", to);
	write_run(run, verdict, to);
	write_posts(run, verdict, to);
	write_deliveries(run, to);
	write_checks(run, verdict, to);
	write_streams(&run->followers, to);
	write_connections(run, to);
	fputs(",\"processes\":{", to);
	for (int i = 0; i <= run->options->process_count; i++)
		write_process(run, i, to);
	fputs("}}\n", to);
}
