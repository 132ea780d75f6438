// libsrtp 2 behind the libsrtp 3 calls that the worker makes. What differs: a policy is an opaque pointer with
// setters instead of a struct, and packets are protected from one buffer into another instead of in place.
#pragma once
#include <cstdint>
#include <cstring>
#include <srtp2/srtp.h>

// Errors that libsrtp 2 does not have.
constexpr auto srtp_err_status_buffer_small = static_cast<srtp_err_status_t>(28);
constexpr auto srtp_err_status_cryptex_err  = static_cast<srtp_err_status_t>(29);

namespace srtp3
{
	// The key lives in the policy, because libsrtp 2's policy only points to it.
	struct Policy
	{
		::srtp_policy_t v2;
		uint8_t key[SRTP_MAX_KEY_LEN];
	};
	using policy_t = Policy*;

	// Runs one of libsrtp 2's in-place calls on a copy in `out`, which must have `room` bytes more than the input.
	template<srtp_err_status_t (*InPlace)(srtp_t, void*, int*)>
	inline srtp_err_status_t apply(
	  srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen, size_t room)
	{
		if (*outLen < inLen + room)
		{
			return srtp_err_status_buffer_small;
		}
		if (in != out)
		{
			std::memcpy(out, in, inLen);
		}

		int len        = static_cast<int>(inLen);
		const auto err = InPlace(session, out, &len);

		if (err == srtp_err_status_ok)
		{
			*outLen = static_cast<size_t>(len);
		}

		return err;
	}

	// The overloads below share libsrtp 2's names; these pick its own functions.
	using in_place_t = srtp_err_status_t (*)(srtp_t, void*, int*);
	constexpr in_place_t protect{ ::srtp_protect };
	constexpr in_place_t protectRtcp{ ::srtp_protect_rtcp };
	constexpr in_place_t unprotect{ ::srtp_unprotect };
	constexpr in_place_t unprotectRtcp{ ::srtp_unprotect_rtcp };
} // namespace srtp3

inline srtp_err_status_t srtp_policy_create(srtp3::policy_t* policy)
{
	*policy = new srtp3::Policy{};
	return srtp_err_status_ok;
}

inline void srtp_policy_destroy(srtp3::policy_t policy)
{
	delete policy;
}

inline srtp_err_status_t srtp_policy_set_ssrc(srtp3::policy_t policy, srtp_ssrc_t ssrc)
{
	policy->v2.ssrc = ssrc;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_profile(srtp3::policy_t policy, srtp_profile_t profile)
{
	const auto err = srtp_crypto_policy_set_from_profile_for_rtp(&policy->v2.rtp, profile);
	return err ? err : srtp_crypto_policy_set_from_profile_for_rtcp(&policy->v2.rtcp, profile);
}

// The last two arguments are the MKI, which the worker does not use.
inline srtp_err_status_t srtp_policy_add_key(
  srtp3::policy_t policy, const uint8_t* key, size_t keyLen, const uint8_t* salt, size_t saltLen, const uint8_t*, size_t)
{
	if (keyLen + saltLen > sizeof(policy->key))
	{
		return srtp_err_status_bad_param;
	}

	std::memcpy(policy->key, key, keyLen);
	std::memcpy(policy->key + keyLen, salt, saltLen);
	policy->v2.key = policy->key;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_allow_repeat_tx(srtp3::policy_t policy, bool allow)
{
	policy->v2.allow_repeat_tx = allow ? 1 : 0;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_window_size(srtp3::policy_t policy, size_t size)
{
	policy->v2.window_size = size;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_create(srtp_t* session, srtp3::policy_t policy)
{
	return srtp_create(session, &policy->v2);
}

inline srtp_err_status_t srtp_stream_remove(srtp_t session, uint32_t ssrc)
{
	return srtp_remove_stream(session, ssrc);
}

inline srtp_err_status_t srtp_protect(
  srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen, size_t /*mkiIndex*/)
{
	return srtp3::apply<srtp3::protect>(session, in, inLen, out, outLen, SRTP_MAX_TRAILER_LEN);
}

// RTCP gets four bytes more: the packet index (the E flag is its first bit).
inline srtp_err_status_t srtp_protect_rtcp(
  srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen, size_t /*mkiIndex*/)
{
	return srtp3::apply<srtp3::protectRtcp>(session, in, inLen, out, outLen, SRTP_MAX_TRAILER_LEN + 4);
}

inline srtp_err_status_t srtp_unprotect(
  srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen)
{
	return srtp3::apply<srtp3::unprotect>(session, in, inLen, out, outLen, 0);
}

inline srtp_err_status_t srtp_unprotect_rtcp(
  srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen)
{
	return srtp3::apply<srtp3::unprotectRtcp>(session, in, inLen, out, outLen, 0);
}

#define srtp_policy_t srtp3::policy_t
