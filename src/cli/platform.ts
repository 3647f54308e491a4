import { type Platform, parsePlatform } from "../image/platform.ts";

/** The platform of --platform, or of DOCKER_DEFAULT_PLATFORM; nothing where neither is given. */
export function platformOf(text: string | undefined): { readonly platform?: Platform } {
  const wanted = text || process.env.DOCKER_DEFAULT_PLATFORM;
  return wanted ? { platform: parsePlatform(wanted) } : {};
}
