/* SPDX-License-Identifier: MIT */
/*
 * The floor of all that reads captures: libpcap's loop over one, with nothing done to a packet
 * but counting it.
 *
 *     packets CAPTURE
 */
#include <pcap/pcap.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE] = "usage: packets CAPTURE";
	pcap_t *capture = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
	struct pcap_pkthdr *header;
	const unsigned char *octets;
	unsigned long packets = 0, sum = 0;

	if (capture == NULL) {
		fprintf(stderr, "packets: %s\n", error);
		return 1;
	}
	while (pcap_next_ex(capture, &header, &octets) == 1) {
		packets++;
		sum += header->caplen;
	}
	printf("packets=%lu octets=%lu\n", packets, sum);
	pcap_close(capture);
	return packets == 0;
}
