// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call; and a wrong argument type there is not
// an error but a crash. Each function below is the one spelling of one argument type.
#include <curl/curl.h>

// Options of type "long": flags, milliseconds, sizes of buffers.
static inline CURLcode s3gw_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

// Options of type "char *", which libcurl copies; NULL restores the default.
static inline CURLcode s3gw_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

// Options of type "curl_off_t": sizes of bodies.
static inline CURLcode s3gw_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

// Options of type "struct curl_slist *", which libcurl does not copy: the list must outlive the transfer.
static inline CURLcode s3gw_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

// The context pointers of callbacks, and the error buffer of CURL_ERROR_SIZE bytes.
static inline CURLcode s3gw_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

// CURLOPT_WRITEFUNCTION, CURLOPT_HEADERFUNCTION and CURLOPT_READFUNCTION: they share one C type.
static inline CURLcode s3gw_curl_set_data_callback(
    CURL *handle, CURLoption option, size_t (*callback)(char *bytes, size_t size, size_t count, void *context)) {
    return curl_easy_setopt(handle, option, callback);
}

// CURLOPT_SEEKFUNCTION: libcurl rewinds a body before it sends it again on another connection.
static inline CURLcode s3gw_curl_set_seek_callback(
    CURL *handle, int (*callback)(void *context, curl_off_t offset, int origin)) {
    return curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, callback);
}

// CURLOPT_XFERINFOFUNCTION: called about once a second also when nothing moves.
static inline CURLcode s3gw_curl_set_progress_callback(
    CURL *handle,
    int (*callback)(void *context, curl_off_t total, curl_off_t now, curl_off_t upTotal, curl_off_t upNow)) {
    return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, callback);
}

// Information of type "long", such as CURLINFO_NUM_CONNECTS.
static inline CURLcode s3gw_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
