// Round-trip times between AWS regions in milliseconds: what the local DNS server knows of who is near whom.
//
// Source: cloudping.co (https://github.com/mda590/cloudping.co), which times TCP connections between all AWS regions:
// the medians over one year of https://www.cloudping.co/api/latencies?percentile=p_50&timeframe=1Y as saved on
// 2025-05-29 in https://github.com/oaustegard/oaustegard.github.io, commit fc319dc885ff80f59be93d69c23346d657a7c538,
// file aws-ping-p50-1y.json. Each number here is the mean of the two directions (they differ by 12 ms at most),
// rounded to a whole millisecond. Every pair is measured; none is derived. Regions opened since are not in it.

/** Row: a region, and its round trips in ms to the regions of the rows above, in their order. */
const ROUND_TRIPS: Readonly<Record<string, readonly number[]>> = {
  'us-east-1': [],
  'us-east-2': [15],
  'us-west-1': [64, 53],
  'us-west-2': [64, 51, 22],
  'ca-central-1': [16, 27, 80, 61],
  'ca-west-1': [51, 40, 41, 21, 49],
  'mx-central-1': [58, 51, 74, 92, 72, 78],
  'sa-east-1': [115, 125, 175, 175, 126, 193, 170],
  'eu-west-1': [70, 80, 130, 118, 69, 137, 125, 178],
  'eu-west-2': [78, 88, 148, 129, 79, 148, 133, 187, 14],
  'eu-west-3': [84, 95, 144, 135, 86, 154, 140, 196, 20, 11],
  'eu-central-1': [93, 104, 153, 142, 93, 161, 149, 204, 27, 18, 12],
  'eu-central-2': [92, 102, 152, 143, 94, 162, 148, 203, 28, 19, 12, 9],
  'eu-north-1': [112, 123, 173, 155, 106, 174, 168, 223, 41, 32, 32, 23, 28],
  'eu-south-1': [102, 112, 162, 151, 102, 170, 158, 213, 36, 27, 21, 12, 7, 32],
  'eu-south-2': [107, 118, 169, 159, 110, 179, 165, 220, 31, 35, 23, 34, 32, 55, 27],
  'il-central-1': [137, 145, 199, 186, 140, 209, 195, 250, 74, 66, 54, 68, 46, 88, 49, 62],
  'me-south-1': [161, 172, 221, 217, 162, 255, 217, 273, 98, 89, 86, 86, 91, 105, 113, 88, 115],
  'me-central-1': [194, 205, 255, 257, 196, 270, 252, 306, 130, 122, 114, 116, 110, 136, 106, 121, 147, 15],
  'af-south-1': [
    227, 238, 287, 274, 224, 292, 282, 338, 159, 150, 146, 155, 152, 174, 188, 136, 231, 249, 287,
  ],
  'ap-south-1': [
    191, 202, 231, 222, 192, 243, 246, 301, 126, 117, 109, 129, 115, 148, 110, 114, 141, 38, 30, 272,
  ],
  'ap-south-2': [
    206, 216, 217, 207, 208, 226, 274, 317, 142, 134, 125, 146, 132, 165, 128, 132, 156, 56, 48, 297, 25,
  ],
  'ap-southeast-1': [
    219, 203, 170, 161, 215, 177, 242, 327, 182, 172, 167, 161, 155, 181, 152, 172, 207, 98, 90, 317, 64, 49,
  ],
  'ap-southeast-2': [
    200, 188, 139, 141, 198, 159, 213, 312, 256, 266, 280, 252, 246, 272, 243, 282, 299, 189, 181, 409, 154,
    141, 95,
  ],
  'ap-southeast-3': [
    235, 220, 186, 175, 232, 194, 259, 345, 199, 191, 185, 177, 172, 197, 168, 189, 224, 115, 106, 351, 80,
    64, 18, 111,
  ],
  'ap-southeast-4': [
    210, 198, 150, 152, 209, 170, 225, 323, 267, 278, 291, 263, 258, 283, 254, 293, 311, 200, 192, 421, 166,
    150, 105, 14, 122,
  ],
  'ap-southeast-5': [
    223, 210, 176, 165, 222, 184, 251, 334, 189, 181, 175, 167, 161, 186, 157, 178, 214, 104, 95, 341, 71, 54,
    9, 100, 25, 111,
  ],
  'ap-southeast-7': [
    245, 231, 197, 188, 243, 206, 272, 356, 211, 202, 196, 189, 183, 208, 179, 199, 235, 125, 117, 363, 92,
    75, 29, 122, 45, 131, 25,
  ],
  'ap-east-1': [
    198, 185, 155, 145, 197, 162, 214, 309, 230, 207, 201, 194, 188, 213, 184, 207, 240, 131, 126, 355, 98,
    82, 37, 128, 53, 140, 44, 64,
  ],
  'ap-northeast-1': [
    149, 135, 108, 98, 145, 113, 168, 258, 201, 212, 218, 227, 222, 247, 218, 241, 275, 175, 169, 357, 134,
    118, 71, 107, 86, 128, 76, 99, 52,
  ],
  'ap-northeast-2': [
    179, 165, 133, 123, 175, 139, 196, 288, 232, 242, 249, 231, 224, 250, 222, 244, 277, 167, 167, 387, 134,
    118, 74, 145, 90, 156, 79, 100, 39, 36,
  ],
  'ap-northeast-3': [
    153, 141, 110, 100, 151, 117, 172, 264, 207, 217, 224, 234, 228, 253, 225, 244, 281, 171, 164, 370, 137,
    121, 77, 120, 92, 132, 82, 103, 46, 10, 25,
  ],
};

const regions = Object.keys(ROUND_TRIPS);

/**
 * The median round trip between two AWS regions, in milliseconds: 0 from a region to itself (inside a region it is
 * 2 to 8 ms in the source, and nothing is nearer), or undefined when the source has no number for the pair.
 */
export function roundTripMs(a: string, b: string): number | undefined {
  if (a === b) return 0;
  const [earlier, later] = regions.indexOf(a) < regions.indexOf(b) ? [a, b] : [b, a];
  return ROUND_TRIPS[later]?.[regions.indexOf(earlier)];
}

/** The regions that the table knows. */
export const MEASURED_REGIONS: readonly string[] = regions;
