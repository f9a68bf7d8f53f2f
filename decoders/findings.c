/* SPDX-License-Identifier: MIT */
/*
 * The words of the table of findings: for each row of FINDINGS a line, which stands in the
 * transcript, and a paragraph, which `explain` prints. Apart from the rows, so that those stay a
 * page; a row without its words does not compile.
 */
#include "decoders/findings.h"

#define LINE_BARE_LF_WORDS \
	"a line ends in LF without CR", \
	"SMTP lines end in CRLF and in nothing else; clients must not send LF except as the end of a " \
	"CRLF. Receivers that take a lone LF for a line end see other lines, or another end of the " \
	"message, than those that do not: SMTP smuggling (CVE-2023-51764 and others) lives on that " \
	"difference. Look for a program that writes the message with the line ends of its own system, " \
	"and let what submits it turn them into CRLF. Postfix refuses or normalizes such lines as " \
	"smtpd_forbid_bare_newline says."
#define LINE_BARE_CR_WORDS \
	"a CR without LF behind it", \
	"A CR stands for nothing in SMTP but the first half of a CRLF; clients must not send one alone. " \
	"Some receivers take it for a line end, some drop it, some pass it on, so that two of them can " \
	"disagree about where a line or the message ends. It often comes from text with CRCRLF line ends, " \
	"made by converting them twice, or from a binary file sent unencoded."
#define LINE_NUL_WORDS \
	"a NUL octet", \
	"Mail data may hold any ASCII code, but control characters other than SP, HT, CR and LF should be " \
	"avoided, NUL is not allowed in a MIME part of 7 or 8 bit (RFC 2045 2.7, 2.8), and no command or reply " \
	"has room for one. Programs in C end a string at it, so that one receiver sees the whole line where " \
	"another sees the part before it; filters have been passed that way. Content that needs it is " \
	"encoded as base64, or sent by BDAT with BODY=BINARYMIME."
#define LINE_CMD_LONG_WORDS \
	"a command line is longer than allowed", \
	"A command line may have 512 octets, its verb and CRLF included; extensions raise that for the " \
	"commands whose parameters they define (SIZE lets MAIL grow by 26, RFC 1870 3). A server need not " \
	"take more, and may answer 500, cut the line, or read its end as another command. Long lines are " \
	"typical of a client that writes several recipients into one RCPT, and of attempts to overflow a buffer."
#define LINE_CUT_WORDS \
	"a line or reply is longer than --max-line", \
	"It was longer than smtpscope holds, which is no fault of its sender by itself: its octets were " \
	"forwarded unchanged, but only its start was decoded and shown, and no rule judged the rest. " \
	"Decoding went on at the next line. Raise --max-line if such lines are meant to be here."
#define LINE_UNTERMINATED_WORDS \
	"the stream ended inside a line", \
	"The connection was closed before the CRLF that ends the line. The other side may have acted upon " \
	"the fragment or not: SMTP says nothing about it, since no line is complete without CRLF. Usually the " \
	"sender died, ran into a limit of its own, or was cut off by something in between."
#define CMD_UNKNOWN_WORDS \
	"a verb that is in no registry", \
	"The first word of the command line is neither a verb of RFC 5321 nor of an extension known to " \
	"smtpscope. A server should answer 500 to what it does not recognize, and 502 to what it recognizes " \
	"but does not implement. When several follow each other, look at what stood before: content sent " \
	"after a refused DATA or BDAT, and credentials sent after a refused AUTH, are read as commands too."
#define CMD_PENDING_WORDS \
	"more commands are unanswered than are kept track of", \
	"With PIPELINING a client may send commands without waiting for each reply, but has to read the " \
	"replies in time: when the windows of both directions are full, both sides wait for ever. " \
	"smtpscope stops reading the client until the server has answered some of them, and goes on then. " \
	"Honest clients stay far below its limit; a flood of commands that no one waits for does not."
#define RSP_SYNTAX_WORDS \
	"a line of the server's that is no reply", \
	"A reply begins with three digits, and SP or \"-\" behind them where text follows. This line does " \
	"not, so a client cannot know what it answers; most give up with a protocol error. Typical are a " \
	"greeting of another protocol, a message of a wrapper or firewall on the server's port, and a long " \
	"reply text broken into lines without a code on each."
#define RSP_CODE_CHANGE_WORDS \
	"the lines of one reply have different codes", \
	"In a multi-line reply every line must carry the same code. Clients differ in which one they believe, " \
	"the first or the last, so one may take for a success what another takes for a refusal. smtpscope " \
	"shows the code of the last line. The usual cause is a filter that replaced one line of a reply."
#define RSP_MISSING_WORDS \
	"commands were not answered", \
	"A later reply can answer one command only, and it is not the one whose turn it was: the replies in " \
	"front of it never came, or are missing from the capture. Pairing goes on from that reply; which of " \
	"the commands before it were carried out cannot be told. A client that waits for them gives up after " \
	"the timeouts of RFC 5321 4.5.3.2."
#define RSP_UNSOLICITED_WORDS \
	"a reply that answers no command", \
	"Every command has exactly one reply, and this one has no command. A client that does not notice " \
	"takes it for the answer to the next command, and all behind it are one off: a recipient may seem " \
	"refused that was accepted, or a message delivered that was not. Only 421 may come at any time. " \
	"See whether the server answered one command twice, or took part of the content for commands."
#define RSP_421_WORDS \
	"the server closes the transmission channel", \
	"421 may answer any command when the server must shut down, or come because of an idle client, too many " \
	"connections or errors, or a policy. It is transient: a client should treat the transaction as " \
	"failed for now, keep the message in its queue and try again later or at another MX host. See the text " \
	"of the reply for the reason."
#define PIPE_EARLY_TALK_WORDS \
	"the client spoke before the greeting ended", \
	"A client should wait for the server's greeting before it sends a command. Those that do not are " \
	"mostly programs that send spam and read no replies; servers delay their greeting to find them " \
	"(Postfix's postscreen, Sendmail's greet_pause, Exim's synchronization check) and then refuse or drop the " \
	"session. A health check of a load balancer does it too."
#define PIPE_UNOFFERED_WORDS \
	"a command was sent before the last one was answered, and PIPELINING was not offered", \
	"Without PIPELINING in the server's latest reply to EHLO a client must wait for each reply. Servers " \
	"without it may drop what came too early, or close the session (Exim says \"synchronization error\"). " \
	"Besides programs that send spam, a proxy or firewall that hides the keyword from one side alone is a " \
	"common cause."

#define EXT_SIZE_WRONG_WORDS \
	"the message is larger than SIZE= said", \
	"MAIL declared a size, and more octets than that were sent, line ends counted and added dots not. " \
	"A server may take the declaration for an estimate, or refuse the message by 552 when more comes " \
	"than it made room for. Where a rule made the message larger, the finding says so: the client had " \
	"declared it right, and the server was not told."
#define MSG_DKIM_BROKEN_WORDS \
	"a rule changed what a DKIM signature covers", \
	"The message has a DKIM-Signature, and a rule changed its body, or a header field that the signature " \
	"names in h=. The body hash or the signature does not fit any more: the receiver will find it invalid, " \
	"and DMARC may fail with it. What the receiver makes of the message then is not what it would have " \
	"made of the one that was sent. Any program on the way that adds a footer or rewrites a subject does the same."

#define TLS_CMD_INJECT_WORDS \
	"octets behind STARTTLS, in the clear", \
	"A client must wait for the 220 to STARTTLS and then send nothing but TLS. What stands behind the " \
	"command in the same write was sent in the clear: by a client that does not wait, or by somebody between " \
	"the two, in the hope that the server keeps it in its buffer and reads it as a part of the encrypted " \
	"session (CVE-2011-0411). A server must throw it away. smtpscope never takes it for encrypted; " \
	"--glued says whether it is passed on in the clear or dropped."
#define TLS_RSP_INJECT_WORDS \
	"octets behind the 220 to STARTTLS, in the clear", \
	"The server has said 220, and the next octets must be the client's hello. More of the server's in the " \
	"clear were put there by somebody between the two, so that a client that keeps them in its buffer " \
	"takes them for replies of the encrypted session (CVE-2021-22947), or by a server that is broken. " \
	"smtpscope never takes them for encrypted; --glued says whether they are passed on in the clear or dropped."
#define TLS_LEFT_WORDS \
	"the client left right behind the TLS handshake", \
	"STARTTLS succeeded, and then the client said QUIT, or closed, where EHLO is due. Mostly it has looked " \
	"at the server's certificate and did not like it: it does not know the CA (behind smtpscope with " \
	"--starttls intercept that is --ca-cert; --make-ca says how a client is made to trust it), it wants " \
	"another name, or DANE (TLSA records) or an MTA-STS policy asks for a certificate that only the real " \
	"server has. Postfix does so at the levels verify, secure and dane, and its log says why; others refuse " \
	"in the handshake, with an alert. Probes that only measure TLS leave like this, too."
#define CAP_GAP_WORDS \
	"octets are missing from the capture", \
	"The other end acknowledged octets that the capture does not have: the capturing host dropped " \
	"packets, the packets were cut (snaplen), or took another way. Decoding takes up behind the gap; what " \
	"depends on the missing part is marked unsure. Capture with a larger buffer (tcpdump -B) and whole " \
	"packets (-s 0)."
#define CAP_MIDSTREAM_WORDS \
	"the capture begins inside the session", \
	"There is no SYN, so the start of the dialogue is not known: neither the greeting nor what EHLO " \
	"offered, nor perhaps a mail transaction that was under way. Decoding begins at the first line that " \
	"can be told."
#define CAP_ONESIDE_WORDS \
	"only one side of the session is in the capture", \
	"All octets of one end are missing: the two directions took different ways (asymmetric routing), or " \
	"the filter of the capture let one pass. Commands without replies, or replies without commands, " \
	"are shown as they are."
#define CAP_OVERLAP_WORDS \
	"octets were sent twice with different contents", \
	"Two segments cover the same place of the stream and differ. The first that was seen is decoded; the " \
	"receiver may have taken the other. A correct TCP sends the same octets again, so this is a broken " \
	"middlebox or somebody who wants a monitor to see something else than the receiver."
static const struct finding_entry entries[FINDING_COUNT] = {
#define X(name, id, severity, security, side, reference) \
	[FINDING_##name] = {id, FINDING_##severity, FINDING_##side, security, reference, name##_WORDS},
	FINDINGS(X)
#undef X
};

const struct finding_entry *
finding_entry(enum finding finding)
{
	return &entries[finding];
}

int
finding_find(struct view id)
{
	for (int i = 0; i < FINDING_COUNT; i++) {
		if (view_equal_nocase(id, view_of(entries[i].id)))
			return i;
	}
	return -1;
}

const char *
finding_severity_name(enum finding_severity severity)
{
	static const char *const names[] = {"info", "note", "warning", "error"};

	return names[severity];
}
