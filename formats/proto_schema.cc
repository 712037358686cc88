#include "formats/proto_schema.h"

#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <google/protobuf/any.pb.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>

extern "C" {
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
}

/* The layout of formats/wire.h, which is C alone. */
struct formats_schema_text {
    struct base_str name, text;
};

namespace {

namespace pb = google::protobuf;

/* What registries know without being told. */
const std::map<std::string, const char *> KNOWN = {
    { "confluent/meta.proto",
      "syntax = \"proto3\"; package confluent; import \"google/protobuf/descriptor.proto\";\n"
      "message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }\n"
      "extend google.protobuf.FileOptions { Meta file_meta = 1088; } extend google.protobuf.MessageOptions { Meta message_meta = 1088; }\n"
      "extend google.protobuf.FieldOptions { Meta field_meta = 1088; } extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }\n"
      "extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }\n" },
    { "confluent/type/decimal.proto",
      "syntax = \"proto3\"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }\n" },
    { "google/type/date.proto", "syntax = \"proto3\"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }\n" },
    { "google/type/timeofday.proto",
      "syntax = \"proto3\"; package google.type; message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }\n" },
    { "google/type/decimal.proto", "syntax = \"proto3\"; package google.type; message Decimal { string value = 1; }\n" },
    { "google/type/money.proto",
      "syntax = \"proto3\"; package google.type; message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }\n" },
    { "google/type/latlng.proto", "syntax = \"proto3\"; package google.type; message LatLng { double latitude = 1; double longitude = 2; }\n" },
};

class Tree : public pb::compiler::SourceTree {
public:
    std::map<std::string, std::string> texts;

    pb::io::ZeroCopyInputStream *Open(const std::string &name) override
    {
        auto own = texts.find(name);
        if (own == texts.end()) {
            auto known = KNOWN.find(name);
            const pb::FileDescriptor *file = nullptr;
            if (known == KNOWN.end())
                file = pb::DescriptorPool::generated_pool()->FindFileByName(name);
            if (known == KNOWN.end() && !file) {
                missing = name;
                return nullptr;
            }
            own = texts.emplace(name, file ? file->DebugString() : known->second).first;
        }
        return new pb::io::ArrayInputStream(own->second.data(), static_cast<int>(own->second.size()));
    }
    std::string GetLastErrorMessage() override { return "\"" + missing + "\" is not among the schema's references"; }

private:
    std::string missing;
};

class Errors : public pb::compiler::MultiFileErrorCollector, public pb::DescriptorPool::ErrorCollector {
public:
    std::string first;

    void AddError(const std::string &file, int line, int column, const std::string &message) override
    {
        if (first.empty())
            first = file + (line >= 0 ? ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1) : "") + ": " + message;
    }
    void AddError(const std::string &file, const std::string &element, const pb::Message *, ErrorLocation, const std::string &message) override
    {
        if (first.empty())
            first = file + ": " + element + ": " + message;
    }
    void AddWarning(const std::string &, int, int, const std::string &) override {}
    void AddWarning(const std::string &, const std::string &, const pb::Message *, ErrorLocation, const std::string &) override {}
};

/* Copies descriptors into the arena, each once. */
class Copier {
public:
    explicit Copier(base_arena *to) : arena(to) {}

    formats_proto_message *message(const pb::Descriptor *from)
    {
        auto &at = messages[from];
        if (!at) {
            at = zalloc<formats_proto_message>(1);
            waiting.push_back(from);
        }
        return at;
    }
    /* Fills everything that was named so far, and what that names. */
    void finish()
    {
        while (!waiting.empty()) {
            const pb::Descriptor *from = waiting.front();
            waiting.pop_front();
            fill(from, messages[from]);
        }
    }
    template <typename T> T *zalloc(size_t count)
    {
        void *at = base_arena_zalloc(arena, count ? count : 1, sizeof(T));
        if (!at)
            throw std::bad_alloc();
        return static_cast<T *>(at);
    }

private:
    base_arena *arena;
    std::map<const pb::Descriptor *, formats_proto_message *> messages;
    std::map<const pb::EnumDescriptor *, formats_proto_enumeration *> enumerations;
    std::deque<const pb::Descriptor *> waiting;

    const char *text(const std::string &from)
    {
        char *at = base_arena_strndup(arena, from.data(), from.size());
        if (!at)
            throw std::bad_alloc();
        return at;
    }
    static formats_proto_special special(const std::string &name)
    {
        static const std::map<std::string, formats_proto_special> table = {
            { "google.protobuf.Timestamp", FORMATS_PROTO_TIMESTAMP }, { "google.type.Date", FORMATS_PROTO_DATE },
            { "google.type.TimeOfDay", FORMATS_PROTO_TIME_OF_DAY }, { "confluent.type.Decimal", FORMATS_PROTO_DECIMAL_BYTES },
            { "google.type.Decimal", FORMATS_PROTO_DECIMAL_TEXT }, { "google.protobuf.DoubleValue", FORMATS_PROTO_WRAPPER },
            { "google.protobuf.FloatValue", FORMATS_PROTO_WRAPPER }, { "google.protobuf.Int64Value", FORMATS_PROTO_WRAPPER },
            { "google.protobuf.UInt64Value", FORMATS_PROTO_WRAPPER }, { "google.protobuf.Int32Value", FORMATS_PROTO_WRAPPER },
            { "google.protobuf.UInt32Value", FORMATS_PROTO_WRAPPER }, { "google.protobuf.BoolValue", FORMATS_PROTO_WRAPPER },
            { "google.protobuf.StringValue", FORMATS_PROTO_WRAPPER }, { "google.protobuf.BytesValue", FORMATS_PROTO_WRAPPER },
        };
        auto at = table.find(name);
        return at == table.end() ? FORMATS_PROTO_PLAIN : at->second;
    }
    const formats_proto_enumeration *enumeration(const pb::EnumDescriptor *from)
    {
        auto &at = enumerations[from];
        if (at)
            return at;
        at = zalloc<formats_proto_enumeration>(1);
        at->count = static_cast<uint32_t>(from->value_count());
        at->symbols = zalloc<formats_proto_symbol>(at->count);
        for (int i = 0; i < from->value_count(); i++) {
            at->symbols[i].number = from->value(i)->number();
            at->symbols[i].name = text(from->value(i)->name());
        }
        return at;
    }
    void fill(const pb::Descriptor *from, formats_proto_message *to)
    {
        to->name = text(from->full_name());
        to->special = special(from->full_name());
        to->count = static_cast<uint32_t>(from->field_count());
        to->fields = zalloc<formats_proto_field>(to->count);
        for (int i = 0; i < from->field_count(); i++) {
            const pb::FieldDescriptor *field = from->field(i);
            formats_proto_field *at = &to->fields[i];
            at->name = text(field->name());
            at->number = static_cast<uint32_t>(field->number());
            at->type = static_cast<formats_proto_type>(field->type());
            at->repeated = field->is_repeated();
            at->map = field->is_map();
            at->implicit = !field->is_repeated() && !field->has_presence();
            if (field->message_type())
                at->message = message(field->message_type());
            if (field->enum_type())
                at->enumeration = enumeration(field->enum_type());
        }
        to->nested_count = static_cast<uint32_t>(from->nested_type_count());
        to->nested = zalloc<const formats_proto_message *>(to->nested_count);
        for (int i = 0; i < from->nested_type_count(); i++)
            to->nested[i] = message(from->nested_type(i));
    }
};

int refuse(char *ret_error, size_t error_bytes, const std::string &what)
{
    std::snprintf(ret_error, error_bytes, "Protobuf schema: %s", what.c_str());
    return BASE_E_CONFIG;
}

/* Texts of .proto files hold no byte below a tab; descriptor sets begin with one (field 1 has tag 0x0a, then a length; its first field again 0x0a). */
bool is_descriptor_set(const std::string &text)
{
    pb::FileDescriptorSet set;
    return !text.empty() && text[0] == '\n' && set.ParseFromString(text) && set.file_size() > 0 && set.file(0).has_name();
}

void copy_files(const std::vector<const pb::FileDescriptor *> &files, base_arena *arena, formats_proto_schema *ret)
{
    Copier copier(arena);
    std::vector<const formats_proto_message *> top;
    for (const pb::FileDescriptor *file : files) {
        for (int i = 0; i < file->message_type_count(); i++)
            top.push_back(copier.message(file->message_type(i)));
    }
    copier.finish();
    ret->count = static_cast<uint32_t>(top.size());
    ret->top = copier.zalloc<const formats_proto_message *>(top.size());
    for (size_t i = 0; i < top.size(); i++)
        ret->top[i] = top[i];
}

int parse_set(const std::string &bytes, base_arena *arena, formats_proto_schema *ret, char *ret_error, size_t error_bytes)
{
    pb::FileDescriptorSet set;
    if (!set.ParseFromString(bytes))
        return refuse(ret_error, error_bytes, "the descriptor set cannot be read");
    pb::DescriptorPool pool(pb::DescriptorPool::generated_pool());
    Errors errors;
    std::vector<const pb::FileDescriptor *> files;
    for (const pb::FileDescriptorProto &proto : set.file()) {
        const pb::FileDescriptor *file = pool.FindFileByName(proto.name());
        if (!file)
            file = pool.BuildFileCollectingErrors(proto, &errors);
        if (!file)
            return refuse(ret_error, error_bytes, errors.first.empty() ? proto.name() + " cannot be built" : errors.first);
        files.push_back(file);
    }
    copy_files(files, arena, ret);
    return 0;
}

int parse(const formats_schema_text *texts, size_t count, base_arena *arena, formats_proto_schema *ret, char *ret_error, size_t error_bytes)
{
    /* libprotobuf drops what nobody names: the well-known files must be linked in to be found. */
    (void)pb::Any::descriptor(), (void)pb::Duration::descriptor(), (void)pb::Empty::descriptor(), (void)pb::FieldMask::descriptor();
    (void)pb::Struct::descriptor(), (void)pb::Timestamp::descriptor(), (void)pb::StringValue::descriptor();
    if (count == 0)
        return refuse(ret_error, error_bytes, "there is none");
    const std::string last(texts[count - 1].text.ptr ? texts[count - 1].text.ptr : "", texts[count - 1].text.len);
    if (is_descriptor_set(last))
        return parse_set(last, arena, ret, ret_error, error_bytes);
    Tree tree;
    Errors errors;
    std::string name = "schema.proto";
    for (size_t i = 0; i < count; i++) {
        std::string own(texts[i].name.ptr ? texts[i].name.ptr : "", texts[i].name.len);
        tree.texts[i + 1 == count ? name : own] = std::string(texts[i].text.ptr ? texts[i].text.ptr : "", texts[i].text.len);
    }
    pb::compiler::Importer importer(&tree, &errors);
    const pb::FileDescriptor *file = importer.Import(name);
    if (!file)
        return refuse(ret_error, error_bytes, errors.first.empty() ? "it cannot be read" : errors.first);
    copy_files({ file }, arena, ret);
    return 0;
}

} // namespace

int formats_proto_parse(const struct formats_schema_text *texts, size_t count, struct base_arena *arena, struct formats_proto_schema *ret, char *ret_error,
                        size_t error_bytes)
{
    try {
        return parse(texts, count, arena, ret, ret_error, error_bytes);
    } catch (const std::bad_alloc &) {
        return BASE_E_NOMEM;
    }
}
