// SPDX-License-Identifier: GPL-2.0
/*
 * The host's end of the line described in agent.h. "serve" owns the line of one guest
 * and lets any number of "run"s use it at once, over a socket of its own. Each packet
 * on that socket is one of
 *
 *	run:	'R' seconds text	run this; give up when the guest is silent so long
 *		'B' seconds		tell the identity of the guest's boot
 *		'D'			don't wait any more, but let it run
 *	serve:	'O' bytes		output
 *		'E' status		the end
 *		'B' identity
 *		'S' text		the guest is silent, or its line is closed
 *		'L' text		the guest restarted, the command is lost
 *
 * A "run" that dies without a 'D' hangs its command up. No command is ever sent
 * twice: before a new one the guest has to answer a ping in this session.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <zlib.h>

#include "agent.h"

#define CLIENTS		64
#define REQUEST_MAX	(128 * 1024)
#define HELLO_MS	250
#define CHECK_MS	1000
#define CONNECT_MS	30000

#define STATUS_SILENT	255
#define STATUS_LOST	254

struct client {
	int fd;			/* -1: unused, unless the command still runs */
	uint16_t id;		/* of its command; 0: unused */
	bool got_request;
	char kind;
	bool detached, sent_any, sent_all;
	uint32_t ping;		/* the answer to it opens the way for the command */
	int64_t start;
	uint32_t silence_ms;
	struct buffer text;
	struct buffer replies;	/* each with its length in front */
	z_stream zip;		/* output comes deflated */
};

static struct client clients[CLIENTS];
static struct link line;
static bool connected;
static char boot_id[BOOT_ID_SIZE];
static int64_t last_heard, last_hello;
static uint16_t last_id;

static void die(const char *what)
{
	fprintf(stderr, "agent-host: %s: %s\n", what, strerror(errno));
	exit(STATUS_SILENT);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(sun.sun_path, path);
	return sun;
}

/* --- serve ------------------------------------------------------------------ */

static void client_free(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->text.data);
	free(c->replies.data);
	inflateEnd(&c->zip);
	*c = (struct client){ .fd = -1 };
}

static void reply(struct client *c, char kind, const void *data, size_t len)
{
	uint32_t total = len + 1;

	if (c->fd < 0)
		return;
	buffer_add(&c->replies, &total, sizeof(total));
	buffer_add(&c->replies, &kind, 1);
	buffer_add(&c->replies, data, len);
}

/* Nothing more to come: what is queued still goes out, see client_flush(). */
static void client_end(struct client *c, char kind, const void *data, size_t len)
{
	reply(c, kind, data, len);
	c->id = 0;
	if (c->fd < 0)
		client_free(c);
}

static void client_flush(struct client *c)
{
	uint32_t len;

	while (c->replies.len) {
		memcpy(&len, c->replies.data, sizeof(len));
		if (send(c->fd, c->replies.data + sizeof(len), len,
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			break;
		}
		buffer_drop(&c->replies, sizeof(len) + len);
	}
	if (!c->id && c->got_request)
		client_free(c);
}

static struct client *client_of(uint16_t id)
{
	for (int i = 0; i < CLIENTS; i++)
		if (id && clients[i].id == id)
			return &clients[i];
	return NULL;
}

static void client_new(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = NULL;

	if (fd < 0)
		return;
	for (int i = 0; i < CLIENTS && !c; i++)
		if (clients[i].fd < 0 && !clients[i].id)
			c = &clients[i];
	if (!c) {
		close(fd);
		return;
	}
	do {
		last_id++;
	} while (!last_id || client_of(last_id));
	*c = (struct client){ .fd = fd, .id = last_id, .start = now_ms() };
	if (inflateInit2(&c->zip, -15) != Z_OK)
		die("inflate");
}

static void client_gone(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	/* If its command has begun, the end of it is still to come, and to be discarded. */
	if (!c->id || !c->sent_any)
		client_free(c);
}

static void client_read(struct client *c)
{
	static char packet[REQUEST_MAX + 5];
	ssize_t n = recv(c->fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_gone(c);
	} else if (packet[0] == 'D') {
		c->detached = true;
	} else if (!c->got_request && n >= 5) {
		c->got_request = true;
		c->kind = packet[0];
		memcpy(&c->silence_ms, packet + 1, 4);
		buffer_add(&c->text, packet + 5, n - 5);
		if (connected)
			link_ping(&line);
		c->ping = line.ping;
	}
}

static void new_session(void)
{
	uint32_t session;

	connected = false;
	do {
		if (getrandom(&session, sizeof(session), 0) != sizeof(session))
			die("getrandom");
	} while (!session);
	link_start(&line, session);
}

static void restarted(void)
{
	static const char text[] = "the guest restarted while the command ran";

	new_session();
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].id && clients[i].sent_any)
			client_end(&clients[i], 'L', text, strlen(text));
}

static void welcome(const struct frame *f)
{
	if (connected || f->len != BOOT_ID_SIZE)
		return;
	memcpy(boot_id, f->payload, BOOT_ID_SIZE);
	/* An answer in a session that has just begun is as good as a ping's. */
	connected = true;
}

static void output(struct client *c, const uint8_t *data, size_t len)
{
	static const char damaged[] = "the command's output is damaged";
	uint8_t plain[16384];
	int status;

	c->zip.next_in = (uint8_t *)data;
	c->zip.avail_in = len;
	do {
		c->zip.next_out = plain;
		c->zip.avail_out = sizeof(plain);
		status = inflate(&c->zip, Z_SYNC_FLUSH);
		if (status != Z_OK && status != Z_BUF_ERROR) {
			client_end(c, 'S', damaged, strlen(damaged));
			return;
		}
		if (sizeof(plain) > c->zip.avail_out)
			reply(c, 'O', plain, sizeof(plain) - c->zip.avail_out);
	} while (!c->zip.avail_out);
}

static void message(const struct frame *f)
{
	struct client *c = client_of(message_id(f));
	const uint8_t *data = f->payload + MESSAGE_HEAD;
	size_t len = f->len - MESSAGE_HEAD;

	if (!c)
		return;
	if (f->payload[0] == OP_OUTPUT)
		output(c, data, len);
	else if (f->payload[0] == OP_END && len == 1)
		client_end(c, 'E', data, 1);
}

static void frame(const struct frame *f)
{
	/* Not what a line that nobody has set up yet echoes. */
	if (f->head.kind == FRAME_HELLO)
		return;
	if (f->head.kind == FRAME_RESET) {
		if (connected)
			restarted();
		return;
	}
	if (f->head.session != line.session)
		return;
	last_heard = now_ms();
	if (f->head.kind == FRAME_WELCOME)
		welcome(f);
	else if (connected && link_take(&line, f))
		message(f);
}

static bool line_read(void)
{
	uint8_t data[4096];
	struct frame f;
	ssize_t n;

	while ((n = read(line.fd, data, sizeof(data))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (link_byte(&line, data[i], &f))
				frame(&f);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Send as much of the command as there is room for. */
static void client_send(struct client *c)
{
	size_t len;

	if (!c->id || !c->got_request || c->sent_all || !connected ||
	    (int32_t)(line.pong - c->ping) < 0)
		return;
	if (c->kind == 'B') {
		client_end(c, 'B', boot_id, sizeof(boot_id));
		return;
	}
	while (c->text.len && link_can_send(&line)) {
		len = c->text.len < MESSAGE_MAX ? c->text.len : MESSAGE_MAX;
		link_send(&line, OP_TEXT, c->id, c->text.data, len);
		buffer_drop(&c->text, len);
		c->sent_any = true;
	}
	if (!c->text.len && link_can_send(&line)) {
		link_send(&line, OP_RUN, c->id, NULL, 0);
		c->sent_any = true;
		c->sent_all = true;
	}
}

static void client_check(struct client *c, int64_t now)
{
	int64_t since = c->start > last_heard ? c->start : last_heard;
	char text[80];

	/* Whoever waited is gone, and did not say that the command may go on. */
	if (c->id && c->fd < 0 && c->sent_all && !c->detached && link_can_send(&line)) {
		link_send(&line, OP_HANGUP, c->id, NULL, 0);
		c->detached = true;
	}
	if (c->id && c->fd >= 0 && c->got_request && now - since > c->silence_ms) {
		snprintf(text, sizeof(text), "the guest is silent for %lld s",
			 (long long)(now - since) / 1000);
		client_end(c, 'S', text, strlen(text));
	}
}

/* Until the agent answers. */
static int hello(void)
{
	int64_t left = last_hello + HELLO_MS - now_ms();

	if (left <= 0 && !line.out.len) {
		link_put(&line, FRAME_HELLO, 0, NULL, 0);
		last_hello = now_ms();
		left = HELLO_MS;
	}
	return left > 0 ? left : HELLO_MS;
}

/* Everything that time or room on the line makes due; returns poll's timeout. */
static int work(void)
{
	int64_t now = now_ms();
	bool waiting = false;
	int timeout;

	for (int i = 0; i < CLIENTS; i++) {
		client_send(&clients[i]);
		client_check(&clients[i], now);
		waiting |= clients[i].id;
		if (clients[i].fd >= 0)
			client_flush(&clients[i]);
	}
	timeout = connected ? link_timer(&line, waiting) : hello();
	link_ack(&line);
	/* Somebody waits: how long the guest has been silent is looked at now and then. */
	return waiting && (timeout < 0 || timeout > CHECK_MS) ? CHECK_MS : timeout;
}

static void line_closed(void)
{
	static const char text[] = "the guest's line is closed";

	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].id)
			client_end(&clients[i], 'S', text, strlen(text));
		if (clients[i].fd >= 0)
			client_flush(&clients[i]);
	}
	exit(0);
}

static void line_open(const char *path)
{
	struct sockaddr_un sun = address(path);
	int64_t end = now_ms() + CONNECT_MS;

	line.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (line.fd < 0)
		die("socket");
	while (connect(line.fd, (struct sockaddr *)&sun, sizeof(sun))) {
		if (now_ms() > end)
			die(path);
		usleep(20000);
	}
	fcntl(line.fd, F_SETFL, O_NONBLOCK);
}

static void serve(const char *line_path, const char *path)
{
	struct sockaddr_un sun = address(path);
	struct pollfd fds[2 + CLIENTS];
	struct client *who[CLIENTS];
	int listener, n, timeout;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	unlink(path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&sun, sizeof(sun)) ||
	    listen(listener, CLIENTS))
		die(path);
	line_open(line_path);
	new_session();
	for (;;) {
		timeout = work();
		if (!link_flush(&line))
			line_closed();
		fds[0] = (struct pollfd){ line.fd, POLLIN | (line.out.len ? POLLOUT : 0), 0 };
		fds[1] = (struct pollfd){ listener, POLLIN, 0 };
		n = 0;
		for (int i = 0; i < CLIENTS; i++) {
			if (clients[i].fd < 0)
				continue;
			fds[2 + n] = (struct pollfd){ clients[i].fd, POLLIN |
				(clients[i].replies.len ? POLLOUT : 0), 0 };
			who[n++] = &clients[i];
		}
		if (poll(fds, 2 + n, timeout) < 0 && errno != EINTR)
			die("poll");
		if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && !line_read())
			line_closed();
		for (int i = 0; i < n; i++)
			if (fds[2 + i].revents & (POLLIN | POLLHUP | POLLERR))
				client_read(who[i]);
		if (fds[1].revents)
			client_new(listener);
	}
}

/* --- run -------------------------------------------------------------------- */

static int ctl;

static void out_of_time(int sig)
{
	static const char text[] = "agent-host: the command runs longer than it may\n";
	ssize_t ignored;

	(void)sig;
	ignored = send(ctl, "D", 1, MSG_NOSIGNAL);
	ignored = write(2, text, strlen(text));
	(void)ignored;
	_exit(STATUS_SILENT);
}

static int run(const char *path, char kind, uint32_t seconds, uint32_t silence, const char *text)
{
	struct sockaddr_un sun = address(path);
	uint32_t silence_ms = silence * 1000;
	static char packet[REQUEST_MAX + 5];
	size_t len = strlen(text);
	ssize_t n;

	/* Killing "run ... &" in a script kills the shell that waits for this process. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (len > REQUEST_MAX) {
		errno = E2BIG;
		die("command");
	}
	ctl = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (ctl < 0 || connect(ctl, (struct sockaddr *)&sun, sizeof(sun)))
		die(path);
	packet[0] = kind;
	memcpy(packet + 1, &silence_ms, 4);
	memcpy(packet + 5, text, len);
	if (send(ctl, packet, len + 5, MSG_NOSIGNAL) < 0)
		die(path);
	signal(SIGALRM, out_of_time);
	alarm(seconds);
	while ((n = recv(ctl, packet, sizeof(packet) - 1, 0)) > 0) {
		switch (packet[0]) {
		case 'O':
			for (ssize_t done = 1, w; done < n; done += w) {
				w = write(1, packet + done, n - done);
				if (w < 0)
					return STATUS_SILENT;
			}
			break;
		case 'E':
			return (uint8_t)packet[1];
		case 'B':
			printf("%.*s\n", (int)n - 1, packet + 1);
			return 0;
		default:
			fprintf(stderr, "agent-host: %.*s\n", (int)n - 1, packet + 1);
			return packet[0] == 'L' ? STATUS_LOST : STATUS_SILENT;
		}
	}
	fprintf(stderr, "agent-host: the server of the guest's line is gone\n");
	return STATUS_SILENT;
}

static int usage(void)
{
	fputs("usage: agent-host serve LINE SOCKET\n"
	      "       agent-host run SOCKET [-t SECONDS] [-s SECONDS] COMMAND\n"
	      "       agent-host boot-id SOCKET [-t SECONDS] [-s SECONDS]\n"
	      "  -t  how long the command may run (600), -s how long the guest may be silent (30)\n"
	      "Status: the command's; 255 out of time, or the guest is silent or gone;\n"
	      "254 the guest restarted under the command.\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	uint32_t seconds = 600, silence = 30;
	int opt;

	if (argc < 3)
		return usage();
	if (!strcmp(argv[1], "serve")) {
		if (argc != 4)
			return usage();
		serve(argv[2], argv[3]);
	}
	optind = 3;
	while ((opt = getopt(argc, argv, "+t:s:")) != -1) {
		if (opt == 't')
			seconds = strtoul(optarg, NULL, 10);
		else if (opt == 's')
			silence = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (!strcmp(argv[1], "run") && argc == optind + 1)
		return run(argv[2], 'R', seconds, silence, argv[optind]);
	if (!strcmp(argv[1], "boot-id") && argc == optind)
		return run(argv[2], 'B', seconds, silence, "");
	return usage();
}
