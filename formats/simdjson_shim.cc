#include "formats/simdjson_shim.h"

#include <memory>
#include <new>
#include <simdjson.h>

#include "base/error.h"

/* simdjson calls its stage 1 "for internal use": it is public in the header of 3.0.1 that Debian ships, virtual, and picked by the CPU at run time. A newer
 * simdjson may need a change here and nowhere else. */
struct formats_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> impl;
    size_t capacity;
};

static const size_t FIRST_CAPACITY = size_t(64) << 10;

struct formats_index *formats_index_create(void)
{
    formats_index *index = new (std::nothrow) formats_index();
    if (!index)
        return nullptr;
    simdjson::error_code error = simdjson::get_active_implementation()->create_dom_parser_implementation(FIRST_CAPACITY, 1, index->impl);
    if (error || !index->impl) {
        delete index;
        return nullptr;
    }
    index->capacity = FIRST_CAPACITY;
    return index;
}

void formats_index_destroy(struct formats_index *index)
{
    delete index;
}

static int grow(formats_index *index, size_t len)
{
    size_t capacity = index->capacity;
    while (capacity < len)
        capacity *= 2;
    if (index->impl->set_capacity(capacity)) {
        index->capacity = 0;
        return BASE_E_NOMEM;
    }
    index->capacity = capacity;
    return 0;
}

int formats_index_run(struct formats_index *index, const char *text, size_t len, const uint32_t **ret_at, uint32_t *ret_count)
{
    static const uint32_t nothing[3] = { 0, 0, 0 };
    if (len >= UINT32_MAX)
        return BASE_E_LIMIT;
    if (len == 0) {
        *ret_at = nothing;
        *ret_count = 0;
        return 0;
    }
    if (index->capacity < len) {
        if (index->capacity == 0)
            index->capacity = FIRST_CAPACITY;
        int r = grow(index, len);
        if (r < 0)
            return r;
    }
    simdjson::error_code error =
        index->impl->stage1(reinterpret_cast<const uint8_t *>(text), len, simdjson::stage1_mode::regular);
    uint32_t count = index->impl->n_structural_indexes;
    if (error == simdjson::EMPTY)
        count = 0;
    else if (error == simdjson::UTF8_ERROR)
        return BASE_E_UTF8;
    else if (error)
        return error == simdjson::MEMALLOC ? BASE_E_NOMEM : BASE_E_MALFORMED;
    uint32_t *at = index->impl->structural_indexes.get();
    /* simdjson keeps room for this many behind the last one, but ends them with a 0, which would look like a place inside. */
    at[count] = at[count + 1] = at[count + 2] = static_cast<uint32_t>(len);
    *ret_at = at;
    *ret_count = count;
    return 0;
}
