/**
 * Whether an extended attribute belongs to an image. Not those of overlayfs itself (a forged one would make the
 * kernel look elsewhere, a copied one would break the next layer), nor those that the host's own policy writes.
 */
export function belongsToImage(name: string): boolean {
  return !/^(trusted\.overlay\.|user\.overlay\.|security\.(selinux|ima|evm|apparmor|SMACK64))/.test(name);
}

/** With the value "y": what lower layers have in this folder is not seen (filesystems/overlayfs, "whiteouts and opaque directories"). */
export const OVERLAY_OPAQUE = "trusted.overlay.opaque";
