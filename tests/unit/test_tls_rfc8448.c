/* SPDX-License-Identifier: MIT */
/*
 * The connection of RFC 8448 3, record by record, and the keys that the RFC prints for it:
 * what two ends of one library agree on between themselves is checked against the world here.
 */
#include <stdlib.h>

#include "decoders/tls/secrets.h"
#include "tests/unit/edge.h"
#include "tests/unit/tls_talk.h"

#define RANDOM "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7"

#define CLIENT_HANDSHAKE "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"
#define SERVER_HANDSHAKE "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"
#define CLIENT_TRAFFIC   "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_TRAFFIC   "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

static const char keylog[] =
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " CLIENT_HANDSHAKE "\n"
    "SERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " SERVER_HANDSHAKE "\n"
    "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " CLIENT_TRAFFIC "\n"
    "SERVER_TRAFFIC_SECRET_0 " RANDOM " " SERVER_TRAFFIC "\n";

static const struct {
	const char *secret, *key, *iv;
} schedule[] = {
	{CLIENT_HANDSHAKE, "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"},
	{SERVER_HANDSHAKE, "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
	{CLIENT_TRAFFIC, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
	{SERVER_TRAFFIC, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"}
};

static const struct {
	enum tls_side from;
	const char   *hex;
} records[] = {
	{TLS_CLIENT, /* ClientHello */
	    "16030100c4010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece70000061301"
	    "13031302010000910000000b0009000006736572766572ff01000100000a00140012001d001700180019010001010102"
	    "0103010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529a"
	    "af2c002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00"
	    "020101001c00024001"},
	{TLS_SERVER, /* ServerHello */
	    "160303005a020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e269280013010000"
	    "2e00330024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304"},
	{TLS_SERVER, /* EncryptedExtensions, Certificate, CertificateVerify, Finished */
	    "17030302a2d1ff334a56f5bff6594a07cc87b580233f500f45e489e7f33af35edf7869fcf40aa40aa2b8ea73f848a7ca"
	    "07612ef9f945cb960b4068905123ea78b111b429ba9191cd05d2a389280f526134aadc7fc78c4b729df828b5ecf7b13b"
	    "d9aefb0e57f271585b8ea9bb355c7c79020716cfb9b1183ef3ab20e37d57a6b9d7477609aee6e122a4cf51427325250c"
	    "7d0e509289444c9b3a648f1d71035d2ed65b0e3cdd0cbae8bf2d0b227812cbb360987255cc744110c453baa4fcd61092"
	    "8d809810e4b7ed1a8fd991f06aa6248204797e36a6a73b70a2559c09ead686945ba246ab66e5edd8044b4c6de3fcf2a8"
	    "9441ac66272fd8fb330ef8190579b3684596c960bd596eea520a56a8d650f563aad27409960dca63d3e688611ea5e22f"
	    "4415cf9538d51a200c27034272968a264ed6540c84838d89f72c24461aad6d26f59ecaba9acbbb317b66d902f4f292a3"
	    "6ac1b639c637ce343117b659622245317b49eeda0c6258f100d7d961ffb138647e92ea330faeea6dfa31c7a84dc3bd7e"
	    "1b7a6c7178af36879018e3f252107f243d243dc7339d5684c8b0378bf30244da8c87c843f5e56eb4c5e8280a2b48052c"
	    "f93b16499a66db7cca71e4599426f7d461e66f99882bd89fc50800becca62d6c74116dbd2972fda1fa80f85df881edbe"
	    "5a37668936b335583b599186dc5c6918a396fa48a181d6b6fa4f9d62d513afbb992f2b992f67f8afe67f76913fa388cb"
	    "5630c8ca01e0c65d11c66a1e2ac4c85977b7c7a6999bbf10dc35ae69f5515614636c0b9b68c19ed2e31c0b3b66763038"
	    "ebba42f3b38edc0399f3a9f23faa63978c317fc9fa66a73f60f0504de93b5b845e275592c12335ee340bbc4fddd50278"
	    "4016e4b3be7ef04dda49f4b440a30cb5d2af939828fd4ae3794e44f94df5a631ede42c1719bfdabf0253fe5175be898e"
	    "750edc53370d2b"},
	{TLS_CLIENT, /* Finished */
	    "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1c"
	    "aeacab6867d726c40546"},
	{TLS_SERVER, /* NewSessionTicket */
	    "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a"
	    "015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0"
	    "9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77"
	    "f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74"
	    "bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f"},
	{TLS_CLIENT, /* application data: octets 0 to 49 */
	    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
	    "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"},
	{TLS_SERVER, /* the same */
	    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8"
	    "fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"},
	{TLS_CLIENT, /* close_notify */
	    "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"},
	{TLS_SERVER, /* close_notify */
	    "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"}
};

static size_t
unhex(const char *hex, char *octets, size_t max)
{
	size_t len = strlen(hex) / 2;

	ck_assert_uint_le(len, max);
	for (size_t i = 0; i < len; i++) {
		const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		octets[i] = (char)strtoul(digits, NULL, 16);
	}
	return len;
}

START_TEST(keys_of_the_rfc)
{
	const struct tls_suite *suite = tls_suite_find(0x1301);
	struct tls_keys keys;
	char secret[32], key[16], iv[12];

	unhex(schedule[_i].secret, secret, sizeof secret);
	unhex(schedule[_i].key, key, sizeof key);
	unhex(schedule[_i].iv, iv, sizeof iv);
	ck_assert(tls_keys_from_traffic(suite, (struct view){secret, sizeof secret}, &keys));
	ck_assert_mem_eq(keys.key, key, sizeof key);
	ck_assert_mem_eq(keys.iv, iv, sizeof iv);
	ck_assert(!tls_keys_from_traffic(suite, (struct view){secret, sizeof secret - 1}, &keys));
}
END_TEST

START_TEST(records_of_the_rfc)
{
	struct tls_keylog *log = tls_keylog_new();
	struct tls_reader *reader = tls_reader_new(log);
	const struct tls_facts *facts = tls_reader_facts(reader);
	struct tls_heard heard = {.hellos = 0};
	char said[50], octets[1000];

	for (size_t i = 0; i < sizeof said; i++)
		said[i] = (char)i;
	tls_keylog_add(log, view_of(keylog), NULL);
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
		size_t len = unhex(records[i].hex, octets, sizeof octets);

		tls_heard_feed(&heard, reader, records[i].from, octets, len, 0);
	}
	for (int side = 0; side < 2; side++) {
		ck_assert_uint_eq(heard.said[side].len, sizeof said);
		ck_assert_mem_eq(heard.said[side].octets, said, sizeof said);
		ck_assert_uint_eq(heard.opaque[side] + heard.not_tls[side], 0);
		ck_assert(facts->closed[side]);
	}
	ck_assert(facts->established);
	assert_view(facts->sni, "server");
	assert_view(facts->version, "TLSv1.3");
	assert_view(facts->cipher, "TLS_AES_128_GCM_SHA256");
	assert_view(facts->subject, "CN=rsa");
	assert_view(facts->issuer, "CN=rsa");
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_keylog_free(log);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls rfc8448");
	TCase *tcase = tcase_create("tls rfc8448");

	tcase_add_loop_test(tcase, keys_of_the_rfc, 0, sizeof schedule / sizeof schedule[0]);
	tcase_add_test(tcase, records_of_the_rfc);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
