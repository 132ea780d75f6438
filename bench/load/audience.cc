#include "audience.h"

#include <utility>

namespace load {

Audience::Member& Audience::join(Meter& meter, Outcome outcome) {
  Member& member = **members_.insert(members_.end(), std::make_unique<Member>());
  member.place_ = std::prev(members_.end());
  member.outcome_ = std::move(outcome);
  joining_ += 1;
  member.viewer_ =
      std::make_unique<Viewer>(surroundings_, endpoint_, meter,
                               Viewer::Events{[this, &member] {
                                                waitsNoMore(member);
                                                if (member.outcome_.joined) member.outcome_.joined();
                                              },
                                              [this, &member](int status, const std::string& why) {
                                                waitsNoMore(member);
                                                if (member.outcome_.ended) member.outcome_.ended(status, why);
                                                leave(member);
                                              }});
  member.viewer_->begin();
  return member;
}

void Audience::waitsNoMore(Member& member) {
  if (std::exchange(member.waits_, false)) joining_ -= 1;
}

void Audience::leave(Member& member) {
  if (std::exchange(member.leaves_, true)) return;
  waitsNoMore(member);
  member.viewer_->leave([this, &member] {
    surroundings_.loop.later([this, &member] {
      const auto left = std::move(member.outcome_.left);
      members_.erase(member.place_);
      if (left) left();
    });
  });
}

void Audience::everybodyLeaves() {
  for (const auto& member : members_) leave(*member);
}

}  // namespace load
