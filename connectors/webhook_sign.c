#include "connectors/webhook_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include "base/error.h"

#define SECRET_LEAST 24
#define SECRET_MOST 64

static int decode_secret(struct base_str secret, uint8_t ret[SECRET_MOST + 3], size_t *ret_len)
{
    static const struct base_str prefix = { "whsec_", 6 };
    if (base_str_starts(secret, prefix))
        secret = (struct base_str){ secret.ptr + prefix.len, secret.len - prefix.len };
    /* The decoder counts padding as bytes: they are taken off again. */
    if (secret.len == 0 || secret.len % 4 != 0 || secret.len / 4 * 3 > SECRET_MOST + 2)
        return BASE_E_CONFIG;
    int len = EVP_DecodeBlock(ret, (const unsigned char *)secret.ptr, (int)secret.len);
    if (len < 0)
        return BASE_E_CONFIG;
    for (size_t i = secret.len; i > secret.len - 2 && secret.ptr[i - 1] == '='; i--)
        len--;
    if (len < SECRET_LEAST || len > SECRET_MOST)
        return BASE_E_CONFIG;
    *ret_len = (size_t)len;
    return 0;
}

int connectors_webhook_check_secret(struct base_str secret)
{
    uint8_t key[SECRET_MOST + 3];
    size_t len;
    int error = decode_secret(secret, key, &len);
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

int connectors_webhook_sign(const struct base_str *secrets, size_t count, struct base_str id, int64_t timestamp_s,
                            struct base_str body, struct base_buf *out)
{
    struct base_buf content = { 0 };
    base_buf_put_str(&content, id);
    base_buf_putc(&content, '.');
    base_buf_put_i64(&content, timestamp_s);
    base_buf_putc(&content, '.');
    base_buf_put_str(&content, body);
    int error = content.failed ? BASE_E_NOMEM : 0;
    for (size_t i = 0; !error && i < count; i++) {
        uint8_t key[SECRET_MOST + 3], sum[EVP_MAX_MD_SIZE];
        unsigned sum_len = 0;
        size_t key_len = 0;
        unsigned char text[64];
        error = decode_secret(secrets[i], key, &key_len);
        if (!error &&
            !HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)content.ptr, content.len, sum, &sum_len))
            error = BASE_E_NOMEM;
        OPENSSL_cleanse(key, sizeof key);
        if (error)
            break;
        int len = EVP_EncodeBlock(text, sum, (int)sum_len);
        base_buf_puts(out, i ? " v1," : "v1,");
        base_buf_put(out, text, (size_t)len);
    }
    base_buf_finish(&content);
    return error ? error : out->failed ? BASE_E_NOMEM : 0;
}
