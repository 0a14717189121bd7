// The SHA256_*, SHA1_* and MD5_* functions are marked deprecated in OpenSSL 3, yet they are the only ones that hash
// without a heap allocation and a provider look-up per call, which for 200 bytes costs more than the hashing itself.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
