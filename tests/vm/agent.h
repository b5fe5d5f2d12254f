/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The line between a test script's host and the agent in its guest: messages over an
 * emulated serial port, which may lose bytes (a slow reader, a reset) and whose far
 * end may start afresh at any time (the guest reboots).
 *
 * A frame is a header, a payload and a CRC between two flag bytes, with flags inside
 * it escaped, so that a reader finds the next frame after any damage. DATA frames are
 * numbered; the receiver takes them in order and acknowledges, the sender keeps a
 * window of them.
 *
 * How long the line takes nobody knows: on a busy machine a kilobyte may need seconds.
 * So no timer decides that a frame is lost, a PING does: what was sent before it and
 * is not acknowledged by its PONG is lost and sent again.
 *
 * A session is the host's: it picks a number and says HELLO until the agent answers
 * WELCOME with the identity of its boot. An agent that begins, or hears of a session it
 * does not know, says RESET: it has been restarted.
 *
 * No threads, no locks. Descriptors are non-blocking.
 */
#ifndef VBUS_TEST_AGENT_H
#define VBUS_TEST_AGENT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum frame_kind {
	FRAME_HELLO = 1,	/* host: a new session */
	FRAME_WELCOME,		/* agent: I know this session; payload: boot identity */
	FRAME_RESET,		/* agent: I know no session, or not this one */
	FRAME_DATA,		/* one message */
	FRAME_ACK,		/* nothing but the header's ack */
	FRAME_PING,		/* are you there? */
	FRAME_PONG,		/* the answer, with the question's seq */
};

/* The first byte of a message; the next two are the command's number. */
enum message_op {
	OP_TEXT = 1,	/* host: a piece of a command's text */
	OP_RUN,		/* host: that was all of it, run it */
	OP_HANGUP,	/* host: nobody waits any more, SIGHUP to its process group */
	OP_OUTPUT,	/* agent: what the command printed */
	OP_END,		/* agent: its status, one byte; nothing follows */
};

#define MESSAGE_HEAD	3
#define PAYLOAD_MAX	1024
#define MESSAGE_MAX	(PAYLOAD_MAX - MESSAGE_HEAD)
#define WINDOW		4
#define PING_MS		500	/* from one answer to the next question */
#define PING_LOST_MS	10000	/* when to ask again without an answer */
#define BOOT_ID_SIZE	36

#define FLAG_BYTE	0x7e
#define ESCAPE_BYTE	0x7d
#define ESCAPE_XOR	0x20

struct frame_head {
	uint8_t kind;
	uint8_t zero[3];
	uint32_t session;
	uint32_t seq;	/* of this DATA frame */
	uint32_t ack;	/* the next DATA frame its sender expects */
};

struct frame {
	struct frame_head head;
	uint8_t payload[PAYLOAD_MAX + 4];
	size_t len;	/* of the payload */
};

struct buffer {
	uint8_t *data;
	size_t len, room;
};

struct link {
	int fd;
	uint32_t session;	/* 0: none */
	uint32_t next_seq;	/* of the next new DATA frame */
	uint32_t acked;		/* the far end has all before this one */
	uint32_t expected;	/* the next one it owes us */
	bool ack_due;
	uint32_t ping, pong;	/* the last question and the last answer */
	uint32_t ping_mark;	/* next_seq at the question */
	int64_t ping_time;	/* of the last question */
	struct {
		uint8_t data[PAYLOAD_MAX];
		size_t len;
	} window[WINDOW];
	struct buffer out;
	/* The frame being read. */
	uint8_t in[sizeof(struct frame_head) + PAYLOAD_MAX + 4];
	size_t in_len;
	bool in_escape, in_overrun;
};

static inline int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static inline void buffer_add(struct buffer *b, const void *data, size_t len)
{
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data) {
			perror("agent: out of memory");
			exit(1);
		}
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void buffer_drop(struct buffer *b, size_t len)
{
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
}

static inline uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Write what the descriptor takes; false when the far end is gone for good. */
static inline bool link_flush(struct link *l)
{
	while (l->out.len) {
		ssize_t n = write(l->fd, l->out.data, l->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		buffer_drop(&l->out, n);
	}
	return true;
}

/*
 * Until the agent has set up the line its terminal edits and echoes what comes. A HELLO
 * must hold nothing it acts on: each ^R prints all again that came so far, and with a few
 * HELLOs a second that never ends.
 */
static inline bool link_escaped(uint8_t kind, uint8_t byte)
{
	return byte == FLAG_BYTE || byte == ESCAPE_BYTE ||
	       (kind == FRAME_HELLO && (byte < ' ' || byte == 0x7f));
}

static inline void link_put(struct link *l, uint8_t kind, uint32_t seq, const void *data,
			    size_t len)
{
	struct frame_head head = { .kind = kind, .session = l->session, .seq = seq,
				   .ack = l->expected };
	uint8_t raw[sizeof(head) + PAYLOAD_MAX + 4], wire[2 * sizeof(raw) + 2];
	size_t n = sizeof(head) + len, w = 0;
	uint32_t crc;

	memcpy(raw, &head, sizeof(head));
	if (len)
		memcpy(raw + sizeof(head), data, len);
	crc = crc32_of(raw, n);
	memcpy(raw + n, &crc, 4);
	wire[w++] = FLAG_BYTE;
	for (size_t i = 0; i < n + 4; i++) {
		if (link_escaped(kind, raw[i])) {
			wire[w++] = ESCAPE_BYTE;
			wire[w++] = raw[i] ^ ESCAPE_XOR;
		} else {
			wire[w++] = raw[i];
		}
	}
	wire[w++] = FLAG_BYTE;
	buffer_add(&l->out, wire, w);
	if (kind == FRAME_DATA || kind == FRAME_ACK)
		l->ack_due = false;
}

static inline void link_start(struct link *l, uint32_t session)
{
	l->session = session;
	l->next_seq = 0;
	l->acked = 0;
	l->expected = 0;
	l->ack_due = false;
	l->pong = l->ping;
	l->ping_time = now_ms();
}

static inline bool link_can_send(const struct link *l)
{
	return l->session && l->next_seq - l->acked < WINDOW && l->out.len < 4 * PAYLOAD_MAX;
}

/* One message; only when link_can_send(). */
static inline void link_send(struct link *l, uint8_t op, uint16_t id, const void *data,
			     size_t len)
{
	uint32_t slot = l->next_seq % WINDOW;
	uint8_t *p = l->window[slot].data;

	if (l->next_seq == l->acked)
		l->ping_time = now_ms();
	p[0] = op;
	p[1] = id & 0xff;
	p[2] = id >> 8;
	if (len)
		memcpy(p + MESSAGE_HEAD, data, len);
	l->window[slot].len = MESSAGE_HEAD + len;
	link_put(l, FRAME_DATA, l->next_seq, p, l->window[slot].len);
	l->next_seq++;
}

static inline void link_ping(struct link *l)
{
	l->ping_mark = l->next_seq;
	l->ping_time = now_ms();
	link_put(l, FRAME_PING, ++l->ping, NULL, 0);
}

/*
 * Milliseconds until a question is due, -1 for never. The caller may have reasons of
 * its own to ask.
 */
static inline int link_timer(struct link *l, bool ask)
{
	int64_t left;

	if (!l->session || (!ask && l->next_seq == l->acked))
		return -1;
	left = l->ping_time + (l->ping == l->pong ? PING_MS : PING_LOST_MS) - now_ms();
	if (left > 0)
		return left;
	link_ping(l);
	return PING_LOST_MS;
}

static inline void link_pong(struct link *l, uint32_t seq)
{
	if (seq != l->ping)
		return;
	l->pong = seq;
	if ((int32_t)(l->ping_mark - l->acked) <= 0)
		return;
	for (uint32_t s = l->acked; s != l->next_seq; s++)
		link_put(l, FRAME_DATA, s, l->window[s % WINDOW].data, l->window[s % WINDOW].len);
}

static inline bool link_frame_ok(struct link *l, struct frame *f)
{
	size_t n = l->in_len;
	uint32_t crc;

	if (l->in_overrun || n < sizeof(f->head) + 4)
		return false;
	memcpy(&crc, l->in + n - 4, 4);
	if (crc32_of(l->in, n - 4) != crc)
		return false;
	memcpy(&f->head, l->in, sizeof(f->head));
	f->len = n - 4 - sizeof(f->head);
	memcpy(f->payload, l->in + sizeof(f->head), f->len);
	return true;
}

/* Take one byte; true when it completed a frame. */
static inline bool link_byte(struct link *l, uint8_t byte, struct frame *f)
{
	bool ok = false;

	if (byte == FLAG_BYTE) {
		if (l->in_len)
			ok = link_frame_ok(l, f);
		l->in_len = 0;
		l->in_escape = false;
		l->in_overrun = false;
	} else if (byte == ESCAPE_BYTE) {
		l->in_escape = true;
	} else if (l->in_len == sizeof(l->in)) {
		l->in_overrun = true;
	} else {
		l->in[l->in_len++] = l->in_escape ? byte ^ ESCAPE_XOR : byte;
		l->in_escape = false;
	}
	return ok;
}

/* A frame of our session: account for it; true if its payload is a new message. */
static inline bool link_take(struct link *l, const struct frame *f)
{
	uint32_t acked = f->head.ack - l->acked;

	if (acked <= l->next_seq - l->acked)
		l->acked = f->head.ack;
	if (f->head.kind == FRAME_PING)
		link_put(l, FRAME_PONG, f->head.seq, NULL, 0);
	if (f->head.kind == FRAME_PONG)
		link_pong(l, f->head.seq);
	if (f->head.kind != FRAME_DATA)
		return false;
	l->ack_due = true;
	if (f->head.seq != l->expected || f->len < MESSAGE_HEAD)
		return false;
	l->expected++;
	return true;
}

static inline void link_ack(struct link *l)
{
	if (l->ack_due)
		link_put(l, FRAME_ACK, 0, NULL, 0);
}

static inline uint16_t message_id(const struct frame *f)
{
	return f->payload[1] | f->payload[2] << 8;
}

#endif
