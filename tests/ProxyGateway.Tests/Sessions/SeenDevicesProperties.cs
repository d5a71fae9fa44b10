using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Sessions;

/// <summary>What holds whenever devices are seen and whenever is written.</summary>
public sealed class SeenDevicesProperties
{
    private const int Room = 4;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DeviceId[] Devices = [.. Enumerable.Range(0, 6).Select(_ => Some.Claim().Device)];

    /// <summary>Time passes, and then a device is seen, or what is due is taken.</summary>
    public sealed record Step(int Seconds, int? Device);

    public static class Steps
    {
        public static Arbitrary<Step> Step() => (
            from seconds in Gen.Frequency((4, Gen.Choose(0, 10)), (1, Gen.Choose(50, 70)))
            from device in Gen.Choose(-2, Devices.Length - 1)
            select new Step(seconds, device < 0 ? null : device)).ToArbitrary();
    }

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 1000, EndSize = 80)]
    public void Each_device_is_written_at_most_once_in_an_interval_and_its_last_sighting_is_never_forgotten(Step[] steps)
    {
        var seen = new SeenDevices(Room, Interval);
        var lastSeen = new Dictionary<DeviceId, DateTimeOffset>(); // of those that it found room for
        var written = new Dictionary<DeviceId, (DateTimeOffset At, DateTimeOffset Taken)>();
        DateTimeOffset now = Start;
        foreach (Step step in steps.Append(new Step(60, Device: null)))
        {
            now = now.AddSeconds(step.Seconds);
            if (step.Device is { } device)
            {
                bool wasFull = seen.Count == Room;
                if (seen.Note(Devices[device], now))
                    lastSeen[Devices[device]] = now;
                else
                    wasFull.ShouldBeTrue("there was room");
            }
            else
            {
                foreach ((DeviceId taken, DateTimeOffset at) in seen.Take(now))
                {
                    at.ShouldBe(lastSeen[taken]);
                    if (written.TryGetValue(taken, out var before))
                    {
                        (now - before.Taken).ShouldBeGreaterThanOrEqualTo(Interval);
                        at.ShouldBeGreaterThanOrEqualTo(before.At);
                    }

                    written[taken] = (at, now);
                }
            }

            seen.Count.ShouldBeLessThanOrEqualTo(Room);
        }

        written.ToDictionary(w => w.Key, w => w.Value.At).ShouldBe(lastSeen, ignoreOrder: true); // an interval after the last, all are due
    }

    [Fact]
    public void The_first_sighting_is_due_at_once_and_written_ones_make_room()
    {
        var seen = new SeenDevices(room: 1, Interval);
        seen.Note(Devices[0], Start).ShouldBeTrue();
        seen.Note(Devices[1], Start).ShouldBeFalse();
        seen.Take(Start).ShouldBe([new SeenDevice(Devices[0], Start)]);
        seen.Note(Devices[1], Start).ShouldBeFalse("the first is remembered, so as not to be written again too soon");

        seen.Take(Start + Interval).ShouldBeEmpty();

        seen.Count.ShouldBe(0);
        seen.Note(Devices[1], Start + Interval).ShouldBeTrue();
    }

    [Fact]
    public void A_clock_that_was_set_back_does_not_delay_a_write()
    {
        var seen = new SeenDevices(Room, Interval);
        seen.Note(Devices[0], Start);
        seen.Take(Start);
        DateTimeOffset earlier = Start.AddDays(-1);
        seen.Note(Devices[0], earlier);

        seen.Take(earlier).ShouldBe([new SeenDevice(Devices[0], earlier)]);
    }
}
