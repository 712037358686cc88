/* Fuzz target: the decoders of Avro and Protobuf. The first byte says which; then either a record for schemas that hold every kind, or (high bit) a schema, a 0 byte and a
 * record for it. Any bytes must give a row, a problem or a refusal, in bounded time and memory. */
#include <stdlib.h>
#include "tests/unit/formats/table.h"

static const char AVRO[] =
    "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":[\"null\",\"int\"]},{\"name\":\"f\",\"type\":\"float\"},"
    "{\"name\":\"m\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":4}},{\"name\":\"s\",\"type\":[\"string\",\"long\",\"bytes\"]},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"en\",\"symbols\":[\"A\",\"B\"]}},{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"string\"]}},{\"name\":\"x\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"
    "{\"name\":\"n\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},{\"name\":\"u\",\"type\":{\"type\":\"fixed\",\"name\":\"fx\",\"size\":16,\"logicalType\":\"uuid\"}},"
    "{\"name\":\"next\",\"type\":[\"null\",\"r\"]}]}";
static const char PROTO[] =
    "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; import \"confluent/type/decimal.proto\"; enum E { A = 0; B = 1; }\n"
    "message r { bool b = 1; sint32 i = 2; float f = 3; confluent.type.Decimal m = 4; string s = 5; E e = 6; google.protobuf.Timestamp t = 7; repeated string a = 8;\n"
    "map<string, double> x = 9; repeated fixed32 n = 10; google.protobuf.StringValue u = 11; r next = 12; oneof o { int64 p = 13; bytes q = 14; } }";

#define TEXTS { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING }
static const struct table_field FIELDS[] = {
    { .name = "b", .type = CEP_TYPE(BOOLEAN) }, { .name = "i", .type = CEP_TYPE(INT) }, { .name = "f", .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "m", .type = CEP_DECIMAL_TYPE(20, 2) }, { .name = "s", .type = CEP_TYPE(STRING) }, { .name = "e", .type = CEP_TYPE(STRING) },
    { .name = "t", .type = CEP_TYPE(TIMESTAMP_LTZ) }, { .name = "a", .type = TEXTS }, { .name = "xk", .path = "x\037k", .type = CEP_TYPE(DOUBLE) },
    { .name = "x", .type = CEP_TYPE(ROW) }, { .name = "n", .type = CEP_TYPE(STRING) }, { .name = "u", .type = CEP_TYPE(STRING) }, { .name = "next", .type = CEP_TYPE(ROW) },
    { .name = "deep", .path = "next\037next\037i", .type = CEP_TYPE(BIGINT) }, { .name = "nx", .path = "next\037x\037k", .type = CEP_TYPE(STRING) },
};

struct bench {
    struct cep_program *program;
    struct formats_decoder *decoder;
    struct table_said said;
};

static bool open_bench(struct bench *bench, bool proto, const char *schema)
{
    char error[512];
    const char *options[] = { "format", proto ? "protobuf" : "avro", proto ? "protobuf.schema" : "avro.schema", schema, NULL };
    struct table_spec spec = { FIELDS, sizeof FIELDS / sizeof FIELDS[0], options, -1, 0 };
    *bench = (struct bench){ .program = table_program(&spec) };
    struct formats_decoder_config config = { bench->program, 0, table_note, &bench->said };
    if (!bench->program)
        abort();
    return formats_decoder_create(&config, &bench->decoder, error, sizeof error) == 0;
}

static void close_bench(struct bench *bench)
{
    formats_decoder_destroy(bench->decoder);
    cep_program_free(bench->program);
}

static void run(struct bench *bench, const uint8_t *data, size_t size)
{
    struct base_arena arena = { 0 };
    struct cep_row *row = NULL;
    struct cep_record record = { .bytes = { (const char *)data, size } };
    bench->said = (struct table_said){ 0 };
    if (formats_decode(bench->decoder, &record, 1, &arena, &row) != 0 || (row == NULL) != (bench->said.problems == 1))
        abort();
    if (row)
        (void)table_row(bench->program, row);
    base_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench kept[2];
    if (size < 1 || size > 1 << 16)
        return 0;
    bool proto = data[0] & 1;
    if (!(data[0] & 0x80)) {
        if (!kept[proto].decoder && !open_bench(&kept[proto], proto, proto ? PROTO : AVRO))
            abort();
        run(&kept[proto], data + 1, size - 1);
        return 0;
    }
    const uint8_t *end = memchr(data + 1, 0, size - 1);
    if (!end)
        return 0;
    struct bench bench;
    if (open_bench(&bench, proto, (const char *)data + 1))
        run(&bench, end + 1, (size_t)(data + size - end - 1));
    close_bench(&bench);
    return 0;
}
