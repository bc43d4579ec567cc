"use strict";

const { createRemoteJWKSet, errors, jwtVerify } = require("jose");

const BEARER = /^Bearer (\S+)$/i;
const UNREACHED = new Set(["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC"]);

/** A request that is refused: `statusCode` and `message` are what the caller is told. */
class Refused extends Error {
  constructor(statusCode, message) {
    super(message);
    this.statusCode = statusCode;
  }
}

/**
 * Returns a function that resolves to the claims of a request's token, or rejects with `Refused`.
 *
 * The token is signed by one of the issuer's keys, for this audience, and still good. Access tokens of Cognito have no
 * `aud` but the client's id: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
 */
function signIn({ issuer, audience, jwks }) {
  const keys = createRemoteJWKSet(new URL(jwks), { timeoutDuration: 3000 });
  return async (headers) => {
    const [, token] = BEARER.exec(headers.authorization ?? "") ?? [];
    if (!token) throw new Refused(401, "sign in: a bearer token is needed");
    const claims = await verified(token, keys, issuer);
    if (![claims.aud, claims.client_id].flat().includes(audience)) {
      throw new Refused(401, "the token is not for this application");
    }
    return claims;
  };
}

async function verified(token, keys, issuer) {
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, algorithms: ["RS256", "ES256"], requiredClaims: ["exp", "sub"] });
    return payload;
  } catch (error) {
    if (!(error instanceof errors.JOSEError) || UNREACHED.has(error.code)) {
      throw new Refused(503, "the keys of whoever signs users in cannot be read; try again in a moment");
    }
    throw new Refused(401, error.code === "ERR_JWT_EXPIRED" ? "the token has expired" : "the token is not valid");
  }
}

module.exports = { signIn, Refused };
